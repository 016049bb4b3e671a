"""Encodes and decodes results and tree listings, and collects the blobs that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec
from bskernel_protocol import (
    Artifact,
    Digest,
    OutputDescription,
    ProtocolError,
    TreeListing,
    canonical_bytes,
    decode_document,
)

from bskernel.core.action import ActionResult
from bskernel.core.record_form import find_record_fault
from bskernel.core.signature import decode_envelope
from bskernel.store.seal import SEAL_BYTES, seal, unseal

Get = Callable[[Digest], bytes | None]
MAX_RESULT = 64 << 20  # bytes of a stored result
# Bytes of a file with a result in a shared store: signed, it is in base64, with signatures.
MAX_STORED = (MAX_RESULT + SEAL_BYTES) * 4 // 3 + (64 << 10)
RESULT_TYPE = "application/vnd.bskernel.result"  # of the payload of a signed result
MAX_LISTING = 256 << 20  # bytes of a tree's listing
_MAX_DEPTH = 100  # of lists and tables in a record, and of folders in a tree
_MAX_NAME, _MAX_PATH = 255, 3_000  # bytes: what every file system takes, and a path in any folder
_UNFIT = (
    f"the record is larger than {MAX_RESULT >> 20} MiB, nests too deep, or holds what is no text, number, list or "
    "table"
)
_INVALID_NAMES = frozenset({"", ".", ".."})


class StoredResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stored-result"):
    """A result in the cache, with the shared store that it came from: only builds that use this store recall it."""

    result: ActionResult
    origin: str = ""  # the name of the shared store; empty for a result of a step that ran here


_results = msgspec.msgpack.Decoder(ActionResult)
_stored = msgspec.msgpack.Decoder(StoredResult)
T = TypeVar("T", ActionResult, StoredResult)
# What decoding raises: not only msgspec's own error, but also what nesting and odd keys of a table cause.
_ERRORS = (msgspec.DecodeError, ProtocolError, ValueError, TypeError, RecursionError, OverflowError, MemoryError)


def encoded_result(key: str, result: ActionResult) -> bytes:
    """The bytes of a result in a shared store, which carry their own digest. `key` is that of its action.

    Raises ValueError for a result that cannot be stored, and so would never be recalled.
    """
    data = seal(key, canonical_bytes(result))
    if decoded_result(key, data) is None:
        raise ValueError(_UNFIT)
    return data


def encoded_stored(key: str, stored: StoredResult) -> bytes:
    """The same for a result in the cache."""
    data = seal(key, canonical_bytes(stored))
    if decoded_stored(key, data) is None:
        raise ValueError(_UNFIT)
    return data


def decoded_result(key: str, data: bytes | None) -> ActionResult | None:
    """The result of the action with that key from its bytes in a shared store; None when any of them was changed.

    None also when the bytes are whole but no store wrote them: artifacts are written to disk by name, and a name with
    a path in it could write anywhere.
    """
    result = _decoded(key, data, _results)
    if result is None or not _is_fit(result):
        return None
    try:
        # The canonical bytes alone: they hold no NaN, and no table of which decoding leaves something out.
        return result if unseal(key, data) == canonical_bytes(result) else None
    except _ERRORS:
        return None


def payload_of(data: bytes | None) -> bytes | None:
    """The bytes of a result from what a shared store holds: these bytes, or an envelope around them.

    Signatures are not checked. What is neither is returned as it is, and decodes to nothing.
    """
    if data is None or not data.startswith(b"{"):
        return data
    try:
        return decode_envelope(data).payload
    except ValueError:
        return data


def decoded_stored(key: str, data: bytes | None) -> StoredResult | None:
    """The same for a result in the cache, which `encoded_stored` has checked."""
    stored = _decoded(key, data, _stored)
    return stored if stored is not None and _is_fit(stored.result) else None


def _decoded(key: str, data: bytes | None, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    body = unseal(key, data) if data is not None and len(data) <= MAX_RESULT + SEAL_BYTES else None
    if body is None:
        return None
    try:
        return decoder.decode(body)
    except _ERRORS:
        return None


def _is_fit(result: ActionResult) -> bool:
    names = [output.name for output in result.outputs]
    return (
        len(set(names)) == len(names) and all(map(_is_file_name, names)) and find_record_fault(result.record) is None
    )


def lacks_outputs(result: ActionResult, declared: Iterable[OutputDescription]) -> bool:
    """True unless the outputs are those that the step's entry declares."""
    made = {output.name: (output.kind, output.media_type) for output in result.outputs}
    may = {output.name: (output.kind, output.media_type) for output in declared}
    must = {output.name for output in declared if output.required}
    return not must <= made.keys() or any(may.get(name) != form for name, form in made.items())


def decoded_listing(data: bytes | None) -> TreeListing | None:
    """A tree's listing from its bytes; None when they are missing, or no listing that can be written to a disk."""
    try:
        document = decode_document(data) if data is not None and len(data) <= MAX_LISTING else None
    except _ERRORS:
        return None
    return document if isinstance(document, TreeListing) and _can_be_written(document) else None


def _can_be_written(listing: TreeListing) -> bool:
    folders: set[str] = set()
    for file in listing.files:
        parts = file.path.split("/")
        if len(parts) > _MAX_DEPTH or len(file.path.encode()) > _MAX_PATH or not all(map(_is_file_name, parts)):
            return False
        folder = file.path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return not any(file.path in folders for file in listing.files)


def _is_file_name(name: str) -> bool:
    return (
        name not in _INVALID_NAMES
        and "/" not in name
        and "\0" not in name
        and len(name.encode("utf-8", "replace")) <= _MAX_NAME
    )


def blobs_of(artifacts: Iterable[Artifact], get: Get) -> set[Digest] | None:
    """Every blob of the artifacts, including the files of trees; None when `get` cannot return a tree's listing."""
    blobs: set[Digest] = set()
    for artifact in artifacts:
        blobs.add(artifact.digest)
        if artifact.kind == "tree":
            listing = decoded_listing(get(artifact.digest))
            if listing is None:
                return None
            blobs |= {file.digest for file in listing.files}
    return blobs
