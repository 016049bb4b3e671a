"""Encodes and decodes results and tree listings, and collects the blobs that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
from bskernel.store.seal import SEAL_BYTES, seal, unseal

Get = Callable[[Digest], bytes | None]
MAX_RESULT = 64 << 20  # bytes of a stored result
MAX_LISTING = 256 << 20  # bytes of a tree's listing
_MAX_DEPTH = 100  # of lists and tables in a record, and of folders in a tree
_MAX_NAME, _MAX_PATH = 255, 3_000  # bytes: what every file system takes, and a path in any folder
_INVALID_NAMES = frozenset({"", ".", ".."})
_results = msgspec.msgpack.Decoder(ActionResult)
# What decoding raises: not only msgspec's own error, but also what nesting and odd keys of a table cause.
_ERRORS = (msgspec.DecodeError, ProtocolError, ValueError, TypeError, RecursionError, OverflowError, MemoryError)


def encoded_result(key: str, result: ActionResult) -> bytes:
    """The bytes of a stored result of the action with that key, which carry their own digest.

    Raises ValueError for a result that cannot be stored, and so would never be recalled.
    """
    data = seal(key, canonical_bytes(result))
    if decoded_result(key, data) is None:
        raise ValueError(
            f"the record is larger than {MAX_RESULT >> 20} MiB, nests deeper than {_MAX_DEPTH} levels, or holds "
            "what is no text, number, list or table"
        )
    return data


def decoded_result(key: str, data: bytes | None) -> ActionResult | None:
    """The result of the action with that key from its stored bytes; None when any of them was changed.

    None also when the bytes are whole but no store wrote them: artifacts are written to disk by name, and a name with
    a path in it could write anywhere.
    """
    body = unseal(key, data) if data is not None and len(data) <= MAX_RESULT + SEAL_BYTES else None
    if body is None:
        return None
    try:
        result = _results.decode(body)
        if not _is_shallow(result.record, _MAX_DEPTH) or canonical_bytes(result) != body:
            return None
    except _ERRORS:
        return None
    names = [output.name for output in result.outputs]
    return result if len(set(names)) == len(names) and all(map(_is_file_name, names)) else None


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


def _is_shallow(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_is_shallow(item, levels - 1) for item in value.values())
    if isinstance(value, list | tuple):
        return levels > 0 and all(_is_shallow(item, levels - 1) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


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
