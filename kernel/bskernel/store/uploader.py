"""Uploads results from the local store to a shared one: first their blobs, then the result that names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec
from bskernel_protocol import Artifact, Digest

from bskernel.core.action import ActionResult
from bskernel.store.codec import blobs_of, decoded_result, encoded_result
from bskernel.store.disk import DiskStore
from bskernel.store.fetcher import Fetcher
from bskernel.store.remote import RemoteStore
from bskernel.store.remote_link import RemoteLink, each, once
from bskernel.store.signed_results import SignedResults
from bskernel.store.upload_journal import UploadJournal

# A result whose requests follow one another, in a folder of this machine: handing each to a thread takes as long.
_FEW, _SMALL = 4, 1 << 20  # blobs, bytes


_Ask: TypeAlias = Callable[[Callable[[], bytes | None]], bytes | None]
_AskEach: TypeAlias = Callable[[Callable[[Digest], bool], Sequence[Digest]], list[bool]]


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """How many results were pushed, were there already, are missing here or came from another store, or failed."""

    pushed: int = 0
    present: int = 0
    gone: int = 0
    failed: int = 0


class Uploader:
    """Uploads to the shared store and removes uploaded results from the journal."""

    def __init__(
        self,
        local: DiskStore,
        remote: RemoteStore,
        link: RemoteLink,
        fetcher: Fetcher,
        pending: UploadJournal,
        origin: str,
        signed: SignedResults,
    ) -> None:
        """`origin` is the shared store's: a result that came from another project's store is not passed on."""
        self._origin = origin
        self._signed = signed
        self._local = local
        self._remote = remote
        self._link = link
        self._fetcher = fetcher
        self._pending = pending

    def push(self, key: str) -> bool:
        """Upload a local result; False when it is not in the shared store afterwards. Failures are reported."""
        result = self._local.recall_key(key, origin=self._origin)
        if result is None:
            self._pending.forget(key)
            return False
        return self.send(key, result)

    def share(self, artifacts: Iterable[Artifact]) -> bool:
        """Upload artifacts that no result names: the inputs of steps that other machines run."""
        blobs = self._link.ask(lambda: blobs_of(artifacts, self._get_or_fetch))
        if blobs is None:
            return False
        shared = self._link.ask(lambda: self._send_blobs(blobs), writing=True)
        return bool(shared)

    def push_all(self, keys: Iterable[str]) -> Pushed:
        """Upload the results that are here, while the shared store answers."""
        present = self._link.ask(self._remote.learn)
        counts = Counter[str]()
        for key in keys:
            if present is None or not self._link.is_open(writing=True):
                counts["failed"] += 1
            elif key in present and key not in self._fetcher.damaged and self._counts(key):
                self._pending.remove(key)
                counts["present"] += 1
            elif self.push(key):
                counts["pushed"] += 1
            else:
                counts["gone" if self._link.is_open(writing=True) else "failed"] += 1
        return Pushed(**counts)

    def _counts(self, key: str) -> bool:
        """False for a result of the shared store that must be signed and is not."""
        if not self._signed.are_required:
            return True
        return self._link.ask(lambda: once(lambda: self._fetcher.read_result(key))) is not None

    def send(self, key: str, result: ActionResult) -> bool:
        """Upload a result whose blobs are here; False when it is not in the shared store afterwards."""
        if not self._link.is_open(writing=True):
            return False
        blobs = blobs_of(result.outputs, self._local.get)
        pushed = blobs is not None and self._link.ask(lambda: self._send_whole(key, result, blobs), writing=True)
        if pushed:
            self._pending.remove(key)
        return bool(pushed)

    def _send_whole(self, key: str, result: ActionResult, blobs: set[Digest]) -> bool:
        logs = [result.log] if result.log is not None else []
        both = {*blobs, *logs}
        if self._remote.is_mounted and len(both) <= _FEW and sum(digest.size for digest in both) <= _SMALL:
            return once(lambda: self._send(key, result, blobs, logs, _now, _in_turn))
        return self._send(key, result, blobs, logs, once, each)

    def _send(
        self,
        key: str,
        result: ActionResult,
        blobs: set[Digest],
        logs: Sequence[Digest],
        ask: _Ask,
        ask_each: _AskEach,
    ) -> bool:
        """Upload blobs, then the result; `ask` and `ask_each` make the requests."""
        data = encoded_result(key, result)
        again = key in self._fetcher.damaged  # then blobs that nobody has read may be damaged too
        remote = ask(lambda: self._fetcher.read_result(key)) if not again else None
        if remote is not None and remote != data and self._is_whole(decoded_result(key, remote)):
            return True  # another machine was first
        if not self._send_blobs(blobs, logs, again=again, ask_each=ask_each):
            return False
        if remote != data:
            ask(lambda: self._remote.send_result(key, self._signed.wrap(data)))
            self._fetcher.damaged.discard(key)
        return True

    def _send_blobs(
        self,
        blobs: set[Digest],
        optional: Iterable[Digest] = (),
        *,
        again: bool = False,
        ask_each: _AskEach = each,
    ) -> bool:
        """Upload blobs, with `again` even if they are there; only `optional` ones may be missing here."""
        both = sorted({*blobs, *optional})
        sent = ask_each(lambda digest: self._send_blob(digest, again=again), both)
        return all(good for digest, good in zip(both, sent, strict=True) if digest in blobs)

    def _send_blob(self, digest: Digest, *, again: bool) -> bool:
        again = again or digest.sha256 in self._fetcher.damaged
        sent = self._remote.send(digest, self._local.blob_path(digest), again=again)
        if sent:
            self._fetcher.damaged.discard(digest.sha256)
        return sent

    def _is_whole(self, result: ActionResult | None) -> bool:
        """True when the shared store has all blobs of another machine's result and none is known to be damaged."""
        blobs = blobs_of(result.outputs, self._get_or_fetch) if result is not None else None
        if blobs is None or any(digest.sha256 in self._fetcher.damaged for digest in blobs):
            return False
        return all(each(self._remote.holds, sorted(blobs)))

    def _get_or_fetch(self, digest: Digest) -> bytes | None:
        return (
            self._local.get(digest) if self._local.holds(digest) or each(self._fetcher.fetch, [digest])[0] else None
        )


def _now(request: Callable[[], bytes | None]) -> bytes | None:
    return request()


def _in_turn(request: Callable[[Digest], bool], digests: Sequence[Digest]) -> list[bool]:
    return [request(digest) for digest in digests]
