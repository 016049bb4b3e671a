"""The local store and a shared one behind it: what is missing here is asked for there; what is made here goes there."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from bskernel_protocol import Artifact, ArtifactKind, Digest, canonical_bytes

from bskernel.action import Action, ActionResult
from bskernel.store.at_once import all_of
from bskernel.store.contents import blobs_of, blobs_of_artifacts, decoded_result
from bskernel.store.disk import DiskStore
from bskernel.store.pending import Pending
from bskernel.store.pushing import Pusher
from bskernel.store.reach import Reach
from bskernel.store.remote import RemoteStore
from bskernel.store.settings import SharedSettings

T = TypeVar("T")
_ANSWER_S = 60.0  # within which anything is answered, and for each so many bytes a second more
_SLOWEST = 256 << 10
_ASKED_ANEW_S = 2.0  # a result that is not there is not asked for again at once


class LayeredStore:
    """Claims, captures and all bytes are the local store's; the shared one only ever adds results and their blobs.

    That it fails is told once, and changes nothing but where results come from: what could not be pushed stays
    listed. `note` is called in the thread that made the store, when that thread calls a method.
    """

    def __init__(self, local: DiskStore, settings: SharedSettings, cache: Path, note: Callable[[str], None]) -> None:
        self._local = local
        self._settings = settings
        self._remote = RemoteStore(settings)
        self._note = note
        self._thread = threading.get_ident()
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._pending = Pending(cache, settings.name)
        self._reach = Reach(self._failed)
        self._damaged: set[str] = set()  # blobs, and keys of results, that are there but not whole
        self._missed: dict[str, float] = {}
        self._pusher = Pusher(self.push)
        if self._writes:
            for key in self._pending.keys():  # noqa: SIM118 - no dict
                self._pusher.add(key)

    # What is local alone

    def capture(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Keep a file or tree here, as DiskStore does."""
        return self._local.capture(path, name, kind, media_type)

    def observe(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Keep a file or tree of the user's here, as DiskStore does."""
        return self._local.observe(path, name, kind, media_type)

    def put(self, data: bytes) -> Digest:
        """Keep bytes here."""
        return self._local.put(data)

    def claim(self, action: Action) -> contextlib.AbstractContextManager[bool]:
        """Claim an action among the processes of this machine."""
        return self._local.claim(action)

    # What is asked for there when it is not here

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, verified, or None."""
        data = self._local.get(digest)
        if data is None and self._fetched([digest]):
            data = self._local.get(digest)
        self._pass_notes_on()
        return data

    def materialise(self, artifact: Artifact, target: Path, *, read_only: bool = False) -> bool:
        """Lay the artifact at `target`; False, with nothing left there, when bytes are missing here and there."""
        laid = self._local.materialise(artifact, target, read_only=read_only)
        if not laid and self._brought([artifact]):
            laid = self._local.materialise(artifact, target, read_only=read_only)
        self._pass_notes_on()
        return laid

    def recall(self, action: Action) -> ActionResult | None:
        """What the action made; when another machine made it, every byte of it is here before it is told."""
        known = self._local.recall(action)
        if known is None:
            known = self._recalled_from_there(action)
        self._pass_notes_on()
        return known

    def peek(self, action: Action) -> ActionResult | None:
        """What `recall` would most likely tell, without a blob being fetched."""
        known = self._local.peek(action)
        if known is None:
            known = self._result_there(action.key.sha256)
        self._pass_notes_on()
        return known

    def _recalled_from_there(self, action: Action) -> ActionResult | None:
        key = action.key.sha256
        result = self._result_there(key)
        if result is None:
            return None
        if not self._brought(result.outputs, [result.log] if result.log is not None else []):
            self._damaged.add(key)
            return None
        self._local.remember(action, result)
        return result

    def _result_there(self, key: str) -> ActionResult | None:
        if self._missed.get(key, -_ASKED_ANEW_S) + _ASKED_ANEW_S > time.monotonic():
            return None
        found = self._asked(lambda: self._one(self._read_result, key))
        result = decoded_result(found)
        if result is None:
            self._missed[key] = time.monotonic()
        if found is not None and result is None:
            self._damaged.add(key)
        return result

    def _read_result(self, key: str) -> bytes | None:
        with self._local.new() as target:
            return self._remote.result(key, target)

    def _brought(self, artifacts: Iterable[Artifact], more: Iterable[Digest] = ()) -> bool:
        """Have every blob of the artifacts here: their own, then those that the listings of trees name."""
        artifacts = tuple(artifacts)
        if not self._fetched({*(artifact.digest for artifact in artifacts), *more}):
            return False
        files = blobs_of_artifacts(artifacts, self._local.get)
        return files is not None and self._fetched(files)

    def _fetched(self, digests: Iterable[Digest]) -> bool:
        missing = [digest for digest in digests if not self._local.holds(digest)]
        if not missing:
            return True
        found = self._asked(lambda: all_of(self._fetch, missing, limit_s=_limit_s))
        return found is not None and all(found)

    def _fetch(self, digest: Digest) -> bool:
        with self._local.new() as target:
            found = self._remote.fetch(digest, target)
            if found == "whole":
                self._local.adopt(target, digest)
        if found == "damaged":
            self._damaged.add(digest.sha256)
        return found == "whole"

    # What goes there

    def remember(self, action: Action, result: ActionResult) -> None:
        """Keep what an action made, here and, as the mode says, there. Raises ValueError for missing artifacts."""
        if not self._writes:
            self._local.remember(action, result)
            return
        self._local.check(result)
        key = action.key.sha256
        self._pending.add(key)
        if self._settings.mode == "write-through":
            self._pushed(key, result)
        self._local.remember(action, result)
        if self._settings.mode == "write-back":
            self._pusher.add(key)
        self._pass_notes_on()

    def push(self, key: str) -> bool:
        """Have a result that is kept here there too; False when it is not, and why it is not was told."""
        result = self._local.recall_key(key)
        if result is None:
            self._pending.remove(key)  # gone from here: there is nothing to push any more
            return False
        return self._pushed(key, result)

    def share(self, artifacts: Iterable[Artifact]) -> bool:
        """Have artifacts there too, though no result names them: the inputs of what others carry out."""
        blobs = blobs_of_artifacts(artifacts, self._local.get) if self._writes else None
        if blobs is None:
            return False
        shared = self._asked(lambda: self._sent(blobs), writing=True)
        self._pass_notes_on()
        return bool(shared)

    def learn(self) -> None:
        """Look at all that is there at once, before much is pushed."""
        self._asked(self._remote.learn)

    def _pushed(self, key: str, result: ActionResult) -> bool:
        if not self._reach.is_open(writing=True):
            return False
        blobs = blobs_of(result, self._local.get)
        pushed = blobs is not None and self._asked(lambda: self._send(key, result, blobs), writing=True)
        if pushed:
            self._pending.remove(key)
        return bool(pushed)

    def _send(self, key: str, result: ActionResult, blobs: set[Digest]) -> bool:
        data = canonical_bytes(result)
        there = self._one(self._read_result, key) if key not in self._damaged else None
        if there is not None and there != data and self._is_whole(decoded_result(there)):
            return True  # another machine was first
        if not self._sent(blobs):
            return False
        if there != data:
            self._one(lambda name: self._remote.send_result(name, data), key)
            self._damaged.discard(key)
        return True

    def _sent(self, blobs: set[Digest]) -> bool:
        return all(all_of(self._send_blob, sorted(blobs), limit_s=_limit_s))

    def _send_blob(self, digest: Digest) -> bool:
        sent = self._remote.send(digest, self._local.blob_path(digest), again=digest.sha256 in self._damaged)
        if sent:
            self._damaged.discard(digest.sha256)
        return sent

    def _is_whole(self, result: ActionResult | None) -> bool:
        """Are all blobs of another machine's result there, and none known to be damaged?"""
        blobs = blobs_of(result, self._listing_there) if result is not None else None
        if blobs is None or any(digest.sha256 in self._damaged for digest in blobs):
            return False
        return all(all_of(self._remote.holds, sorted(blobs), limit_s=_limit_s))

    def _listing_there(self, digest: Digest) -> bytes | None:
        return self._local.get(digest) if self._local.holds(digest) or self._one(self._fetch, digest) else None

    # How it is asked

    @property
    def _writes(self) -> bool:
        return self._settings.mode != "read-only"

    @property
    def failure(self) -> str | None:
        """Why the shared store failed last, without credentials."""
        error = self._reach.failure
        return self._settings.without_secrets(error) if error is not None else None

    def _one(self, function: Callable[[str], T] | Callable[[Digest], T], item: str | Digest) -> T:
        limit_s = _limit_s(item) if isinstance(item, Digest) else _ANSWER_S
        return all_of(function, [item], limit_s=lambda _: limit_s)[0]  # type: ignore[arg-type]

    def _asked(self, function: Callable[[], T], *, writing: bool = False) -> T | None:
        if not self._reach.is_open(writing=writing):
            return None
        try:
            answer = function()
        except Exception as error:  # noqa: BLE001 - libraries behind fsspec raise what they like
            self._reach.failed(error, writing=writing)
            return None
        self._reach.answered(writing=writing)
        return answer

    def _failed(self, error: BaseException, writing_alone: bool) -> None:
        what = "cannot be written" if writing_alone else "cannot be used"
        later = (
            "; what could not be pushed is pushed by the next run, or by bskernel store push" if self._writes else ""
        )
        why = self._settings.without_secrets(error)
        self._notes.put(f"the shared store {self._settings.shown} {what} ({why}): going on with the cache{later}")

    def _pass_notes_on(self) -> None:
        if threading.get_ident() == self._thread:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._note(self._notes.get_nowait())

    def close(self, *, wait: bool) -> None:
        """Stop pushing; with `wait`, when all that is listed was tried."""
        try:
            if wait and self._writes:
                for key in self._pending.keys():  # noqa: SIM118 - no dict
                    self._pusher.add(key)
            self._pusher.end(wait=wait)
        finally:
            self._pass_notes_on()


def _limit_s(digest: Digest) -> float:
    return _ANSWER_S + digest.size / _SLOWEST
