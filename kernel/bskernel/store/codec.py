"""Which blobs a result consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from bskernel_protocol import Artifact, Digest, ProtocolError, TreeListing, decode_document

from bskernel.core.action import ActionResult

Get = Callable[[Digest], bytes | None]
_NO_NAMES = frozenset({"", ".", ".."})
_results = msgspec.msgpack.Decoder(ActionResult)


def decoded_result(data: bytes | None) -> ActionResult | None:
    """A result from its canonical bytes; None when they are damaged, or an output has a name that no output has.

    Artifacts are laid by their names: one with a path in it could be laid anywhere.
    """
    try:
        result = _results.decode(data) if data is not None else None
    except (msgspec.DecodeError, ValueError):
        return None
    if result is None or any("/" in made.name or made.name in _NO_NAMES for made in result.outputs):
        return None
    return result


def decoded_listing(data: bytes | None) -> TreeListing | None:
    """A tree's listing from its bytes; None when they are none."""
    try:
        document = decode_document(data) if data is not None else None
    except ProtocolError:
        return None
    return document if isinstance(document, TreeListing) else None


def blobs_of(artifacts: Iterable[Artifact], get: Get) -> set[Digest] | None:
    """Every blob of the artifacts: their own and the files of trees; None when a listing cannot be had by `get`."""
    found: set[Digest] = set()
    for artifact in artifacts:
        found.add(artifact.digest)
        if artifact.kind == "tree":
            listing = decoded_listing(get(artifact.digest))
            if listing is None:
                return None
            found |= {file.digest for file in listing.files}
    return found
