"""Decodes results and tree listings, and collects the blobs that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from bskernel_protocol import Artifact, Digest, ProtocolError, TreeListing, decode_document

from bskernel.core.action import ActionResult
from bskernel.core.record_form import find_record_fault

Get = Callable[[Digest], bytes | None]
_INVALID_NAMES = frozenset({"", ".", ".."})
_results = msgspec.msgpack.Decoder(ActionResult)


def decoded_result(data: bytes | None) -> ActionResult | None:
    """A result from its canonical bytes; None when they are damaged or an output's name is not valid.

    Artifacts are written to disk by name: a name with a path in it could write anywhere.
    """
    try:
        result = _results.decode(data) if data is not None else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if result is None or find_record_fault(result.record) is not None:
        return None
    if any("/" in output.name or output.name in _INVALID_NAMES for output in result.outputs):
        return None
    return result


def decoded_listing(data: bytes | None) -> TreeListing | None:
    """A tree's listing from its bytes; None when they are missing or not a listing."""
    try:
        document = decode_document(data) if data is not None else None
    except ProtocolError:
        return None
    return document if isinstance(document, TreeListing) else None


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
