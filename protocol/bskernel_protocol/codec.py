"""Canonical bytes of values, and strict decoding of the tagged unions."""

from __future__ import annotations

import json
import math
import os
from typing import Any, TypeAlias

import msgspec

from bskernel_protocol.artifact import TreeListing
from bskernel_protocol.catalogue import Catalogue
from bskernel_protocol.controls import escape_json
from bskernel_protocol.failure import Failure
from bskernel_protocol.manifest import StepManifest, StepResult
from bskernel_protocol.messages import Command, Event

PROTOCOL_VERSION = 2

Document: TypeAlias = StepManifest | StepResult | TreeListing | Failure | Catalogue


class ProtocolError(ValueError):
    """The protocol does not allow these bytes or this value."""


_encoder = msgspec.msgpack.Encoder(order="deterministic")
# Decoders of unions, since a decoder of a single tagged struct accepts a message without its tag.
_document: msgspec.msgpack.Decoder[Document] = msgspec.msgpack.Decoder(Document)
_command: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_event: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


# A value that nests deeper than Python's stack raises RecursionError, in msgspec and here.
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PLAIN = frozenset({str, int, bool, type(None), bytes})


def _refuse_non_finite(value: Any, where: str, *path: str | int) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError(f"{_at(where, path)} is {value}; NaN and infinities cannot be encoded")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ProtocolError(f"{_at(where, path)} has the key {key!r}; keys must be strings")
            if type(item) not in _PLAIN:
                _refuse_non_finite(item, where, *path, key)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) not in _PLAIN:
                _refuse_non_finite(item, where, *path, index)


def _at(where: str, path: tuple[str | int, ...]) -> str:
    return where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def canonical_bytes(value: Any) -> bytes:
    """Encode a value as MessagePack. Equal values give equal bytes on every machine.

    Raises ProtocolError for NaN, infinities, keys that are not strings, and types that cannot be encoded.
    """
    try:
        _refuse_non_finite(msgspec.to_builtins(value), type(value).__name__)
        return _encoder.encode(value)
    except (TypeError, OverflowError, RecursionError) as error:
        raise ProtocolError(f"{type(value).__name__} cannot be encoded: {error}") from error


encode = canonical_bytes


def _check_version(version: int) -> None:
    if version != PROTOCOL_VERSION:
        raise ProtocolError(f"unsupported protocol version {version}; this program supports {PROTOCOL_VERSION}")


def decode_document(data: bytes) -> Document:
    """Decode a file's bytes: a manifest, result, tree listing, failure or catalogue.

    Raises ProtocolError if they are not such a document, or have another protocol version.
    """
    try:
        document = _document.decode(data)
    except _UNDECODABLE as error:
        raise ProtocolError(f"not a bskernel document: {error}") from error
    if isinstance(document, StepManifest | StepResult | Catalogue):
        _check_version(document.protocol)
    return document


def decode_command(data: bytes) -> Command:
    """Decode a message from a kernel to a session. Raises ProtocolError."""
    try:
        return _command.decode(data)
    except _UNDECODABLE as error:
        raise ProtocolError(f"not a bskernel command: {error}") from error


def decode_event(data: bytes) -> Event:
    """Decode a message from a session to its kernel. Raises ProtocolError."""
    try:
        event = _event.decode(data)
    except _UNDECODABLE as error:
        raise ProtocolError(f"not a bskernel event: {error}") from error
    return event


def _path_as_text(value: Any) -> str:
    if isinstance(value, os.PathLike):
        return str(value)
    raise ProtocolError(f"{type(value).__name__} cannot be encoded as JSON")


def pretty_json(value: Any) -> str:
    """Encode as JSON for people and version control: sorted keys, two spaces, a final newline.

    Raises ProtocolError as `canonical_bytes` does.
    """
    try:
        builtins = msgspec.to_builtins(value, enc_hook=_path_as_text)
        _refuse_non_finite(builtins, type(value).__name__)
    except RecursionError as error:
        raise ProtocolError(f"{type(value).__name__} cannot be encoded: {error}") from error
    # Indented afterwards: with `indent`, json uses its Python encoder, which takes ten times as long.
    text = json.dumps(builtins, sort_keys=True, ensure_ascii=False)
    return msgspec.json.format(escape_json(text), indent=2) + "\n"
