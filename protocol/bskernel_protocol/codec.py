"""Canonical bytes of every value, and strict decoding through the tagged unions only."""

from __future__ import annotations

import json
import math
import os
from typing import Any, TypeAlias

import msgspec

from bskernel_protocol.artifact import TreeListing
from bskernel_protocol.catalogue import Catalogue
from bskernel_protocol.failure import Failure
from bskernel_protocol.manifest import StepManifest, StepResult
from bskernel_protocol.messages import Command, Event

PROTOCOL_VERSION = 2

Document: TypeAlias = StepManifest | StepResult | TreeListing | Failure | Catalogue


class ProtocolError(ValueError):
    """Bytes or values that the protocol does not allow."""


_encoder = msgspec.msgpack.Encoder(order="deterministic")
# A lone tagged decoder accepts a message without its tag; a union's decoder refuses it.
_document: msgspec.msgpack.Decoder[Document] = msgspec.msgpack.Decoder(Document)
_command: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_event: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


_PLAIN = frozenset({str, int, bool, type(None), bytes})


def _refuse_non_finite(value: Any, where: str, *path: str | int) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError(f"{_at(where, path)} is {value}: NaN and infinities have no canonical form")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ProtocolError(f"{_at(where, path)} has the key {key!r}: keys are strings")
            if type(item) not in _PLAIN:
                _refuse_non_finite(item, where, *path, key)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) not in _PLAIN:
                _refuse_non_finite(item, where, *path, index)


def _at(where: str, path: tuple[str | int, ...]) -> str:
    return where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def canonical_bytes(value: Any) -> bytes:
    """The one MessagePack form of a value: equal values give equal bytes on every machine.

    Raises ProtocolError for NaN, infinities, keys that are no strings and types without a form.
    """
    try:
        _refuse_non_finite(msgspec.to_builtins(value), type(value).__name__)
        return _encoder.encode(value)
    except (TypeError, OverflowError) as error:
        raise ProtocolError(f"{type(value).__name__} has no canonical form: {error}") from error


encode = canonical_bytes


def _checked_protocol(version: int) -> None:
    if version != PROTOCOL_VERSION:
        raise ProtocolError(f"protocol version {version}, but this side speaks {PROTOCOL_VERSION}")


def decode_document(data: bytes) -> Document:
    """Decode what lies in a file (manifest, result, tree listing, failure, catalogue).

    Raises ProtocolError when the bytes are no such document or of another protocol version.
    """
    try:
        document = _document.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a bskernel document: {error}") from error
    if isinstance(document, StepManifest | StepResult | Catalogue):
        _checked_protocol(document.protocol)
    return document


def decode_command(data: bytes) -> Command:
    """Decode a message to a session. Raises ProtocolError."""
    try:
        return _command.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a bskernel command: {error}") from error


def decode_event(data: bytes) -> Event:
    """Decode a message from a session. Raises ProtocolError."""
    try:
        event = _event.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a bskernel event: {error}") from error
    return event


def _path_as_text(value: Any) -> str:
    if isinstance(value, os.PathLike):
        return str(value)
    raise ProtocolError(f"{type(value).__name__} has no JSON form")


def pretty_json(value: Any) -> str:
    """JSON for people and for files under version control: sorted keys, two spaces, a final line end.

    Raises ProtocolError as `canonical_bytes` does.
    """
    builtins = msgspec.to_builtins(value, enc_hook=_path_as_text)
    _refuse_non_finite(builtins, type(value).__name__)
    # Laid out afterwards: to indent, json would leave its C encoder for one that takes ten times as long.
    return msgspec.json.format(json.dumps(builtins, sort_keys=True, ensure_ascii=False), indent=2) + "\n"
