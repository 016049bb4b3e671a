"""Which blobs a result consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from bskernel_protocol import Artifact, Digest, ProtocolError, TreeListing, decode_document

from bskernel.action import ActionResult

Get = Callable[[Digest], bytes | None]
_results = msgspec.msgpack.Decoder(ActionResult)


def decoded_result(data: bytes | None) -> ActionResult | None:
    """A result from its canonical bytes; None when they are damaged."""
    try:
        return _results.decode(data) if data is not None else None
    except msgspec.DecodeError:
        return None


def decoded_listing(data: bytes | None) -> TreeListing | None:
    """A tree's listing from its bytes; None when they are none."""
    try:
        document = decode_document(data) if data is not None else None
    except ProtocolError:
        return None
    return document if isinstance(document, TreeListing) else None


def blobs_of(result: ActionResult, get: Get) -> set[Digest] | None:
    """Every blob of a result: outputs, files of trees, log; None when a tree's listing cannot be had by `get`."""
    found = blobs_of_artifacts(result.outputs, get)
    if found is not None and result.log is not None:
        found.add(result.log)
    return found


def blobs_of_artifacts(artifacts: Iterable[Artifact], get: Get) -> set[Digest] | None:
    """Every blob of the artifacts, as `blobs_of`."""
    found: set[Digest] = set()
    for artifact in artifacts:
        found.add(artifact.digest)
        if artifact.kind == "tree":
            listing = decoded_listing(get(artifact.digest))
            if listing is None:
                return None
            found |= {file.digest for file in listing.files}
    return found
