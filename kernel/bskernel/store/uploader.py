"""Brings results of the local store to a shared one: their blobs first, each whole, then what names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
from bskernel_protocol import Artifact, Digest, canonical_bytes

from bskernel.core.action import ActionResult
from bskernel.store.codec import blobs_of, decoded_result
from bskernel.store.disk import DiskStore
from bskernel.store.fetcher import Fetcher
from bskernel.store.remote import RemoteStore
from bskernel.store.remote_link import RemoteLink, each, once
from bskernel.store.upload_journal import UploadJournal


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """How many results were pushed, were there, are not here, or could not be pushed."""

    pushed: int = 0
    present: int = 0
    gone: int = 0
    failed: int = 0


class Uploader:
    """From one store to the other; what was sent is taken off the list of what is pending."""

    def __init__(
        self, local: DiskStore, remote: RemoteStore, link: RemoteLink, fetcher: Fetcher, pending: UploadJournal
    ) -> None:
        self._local = local
        self._remote = remote
        self._link = link
        self._fetcher = fetcher
        self._pending = pending

    def push(self, key: str) -> bool:
        """Have a result that is kept here there too; False when it is not, and why it is not was told."""
        result = self._local.recall_key(key)
        if result is None:
            self._pending.forget(key)
            return False
        return self.send(key, result)

    def share(self, artifacts: Iterable[Artifact]) -> bool:
        """Have artifacts there too, though no result names them: the inputs of what others carry out."""
        blobs = blobs_of(artifacts, self._local.get)
        if blobs is None:
            return False
        shared = self._link.asked(lambda: self._sent(blobs), writing=True)
        return bool(shared)

    def push_all(self, keys: Iterable[str]) -> Pushed:
        """Have results there too, as far as they are here and the shared store goes on answering."""
        there = self._link.asked(self._remote.learn)
        counts = Counter[str]()
        for key in keys:
            if there is None or not self._link.is_open(writing=True):
                counts["failed"] += 1
            elif key in there and key not in self._fetcher.damaged:
                self._pending.remove(key)
                counts["present"] += 1
            elif self.push(key):
                counts["pushed"] += 1
            else:
                counts["gone" if self._link.is_open(writing=True) else "failed"] += 1
        return Pushed(**counts)

    def send(self, key: str, result: ActionResult) -> bool:
        """Have a result there whose blobs are here; False when it is not."""
        if not self._link.is_open(writing=True):
            return False
        blobs = blobs_of(result.outputs, self._local.get)
        pushed = blobs is not None and self._link.asked(lambda: self._send(key, result, blobs), writing=True)
        if pushed:
            self._pending.remove(key)
        return bool(pushed)

    def _send(self, key: str, result: ActionResult, blobs: set[Digest]) -> bool:
        data = canonical_bytes(result)
        again = key in self._fetcher.damaged  # then others of its blobs may be, that nobody has looked at
        there = once(lambda: self._fetcher.read_result(key)) if not again else None
        if there is not None and there != data and self._is_whole(decoded_result(there)):
            return True  # another machine was first
        if not self._sent(blobs, [result.log] if result.log is not None else [], again=again):
            return False
        if there != data:
            once(lambda: self._remote.send_result(key, data))
            self._fetcher.damaged.discard(key)
        return True

    def _sent(self, blobs: set[Digest], welcome: Iterable[Digest] = (), *, again: bool = False) -> bool:
        """Have all these blobs there, `again` though they are; those that are merely welcome may be missing here."""
        both = sorted({*blobs, *welcome})
        sent = each(lambda digest: self._send_blob(digest, again=again), both)
        return all(good for digest, good in zip(both, sent, strict=True) if digest in blobs)

    def _send_blob(self, digest: Digest, *, again: bool) -> bool:
        again = again or digest.sha256 in self._fetcher.damaged
        sent = self._remote.send(digest, self._local.blob_path(digest), again=again)
        if sent:
            self._fetcher.damaged.discard(digest.sha256)
        return sent

    def _is_whole(self, result: ActionResult | None) -> bool:
        """Are all blobs of another machine's result there, and none known to be damaged?"""
        blobs = blobs_of(result.outputs, self._listing_there) if result is not None else None
        if blobs is None or any(digest.sha256 in self._fetcher.damaged for digest in blobs):
            return False
        return all(each(self._remote.holds, sorted(blobs)))

    def _listing_there(self, digest: Digest) -> bytes | None:
        return (
            self._local.get(digest) if self._local.holds(digest) or each(self._fetcher.fetch, [digest])[0] else None
        )
