"""The local store and a shared one behind it: what is missing is asked for there, what is made goes there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from bskernel_protocol import Artifact, ArtifactKind, Digest

from bskernel.core.action import Action, ActionResult
from bskernel.store.disk import DiskStore
from bskernel.store.fetcher import Fetcher
from bskernel.store.remote import RemoteStore
from bskernel.store.remote_link import RemoteLink
from bskernel.store.settings import SharedSettings
from bskernel.store.upload_journal import UploadJournal
from bskernel.store.upload_queue import UploadQueue
from bskernel.store.uploader import Pushed, Uploader


class LayeredStore:
    """Claims, captures and all bytes are the local store's; the shared one only ever adds results and their blobs.

    That it fails is told once, and changes nothing but where results come from: what could not be pushed stays
    listed. `note` is called in the thread that made the store, when that thread calls a method.
    """

    def __init__(self, local: DiskStore, settings: SharedSettings, cache: Path, note: Callable[[str], None]) -> None:
        self._local = local
        self._settings = settings
        remote = RemoteStore(settings)
        self._link = RemoteLink(settings, note)
        self._pending = UploadJournal(cache, settings.name)
        self._fetcher = Fetcher(local, remote, self._link)
        self._sender = Uploader(local, remote, self._link, self._fetcher, self._pending)
        self._pusher = UploadQueue(self._sender.push)
        if self._writes:
            self._push_pending()

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
        if data is None and self._fetcher.fetched([digest]):
            data = self._local.get(digest)
        self._link.pass_notes_on()
        return data

    def materialise(self, artifact: Artifact, target: Path, *, read_only: bool = False) -> bool:
        """Lay the artifact at `target`; False, with nothing left there, when bytes are missing here and there."""
        laid = self._local.materialise(artifact, target, read_only=read_only)
        if not laid and self._fetcher.brought([artifact]):
            laid = self._local.materialise(artifact, target, read_only=read_only)
        self._link.pass_notes_on()
        return laid

    def recall(self, action: Action) -> ActionResult | None:
        """What the action made; when another machine made it, every byte of it is here before it is told."""
        known = self._local.recall(action)
        if known is None:
            known = self._fetcher.result_with_blobs(action.key.sha256)
            if known is not None:
                self._local.remember(action, known)
        self._link.pass_notes_on()
        return known

    def peek(self, action: Action) -> ActionResult | None:
        """What `recall` would most likely tell, without a blob being fetched."""
        known = self._local.peek(action)
        if known is None:
            known = self._fetcher.likely(action.key.sha256)
        self._link.pass_notes_on()
        return known

    def bring(self, artifacts: Iterable[Artifact]) -> bool:
        """Have these here; False when bytes of them are missing here and there."""
        brought = self._fetcher.brought(artifacts)
        self._link.pass_notes_on()
        return brought

    def is_doubtful(self, key: str) -> bool:
        """Was that result found damaged there?"""
        return key in self._fetcher.damaged

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
            self._sender.send(key, result)
        self._local.remember(action, result)
        if self._settings.mode == "write-back":
            self._pusher.add(key)
        self._link.pass_notes_on()

    def share(self, artifacts: Iterable[Artifact]) -> bool:
        """Have artifacts there too, though no result names them: the inputs of what others carry out."""
        shared = self._writes and self._sender.share(artifacts)
        self._link.pass_notes_on()
        return shared

    def push(self, key: str, *, again: bool = False) -> bool:
        """Have one result there too, `again` though it is; False when it is not, and why it is not was told."""
        if again:
            self._fetcher.damaged.add(key)
        pushed = self._sender.push(key)
        self._link.pass_notes_on()
        return pushed

    def push_all(self, keys: Iterable[str]) -> Pushed:
        """Have results there too, as far as they are here and the shared store goes on answering."""
        pushed = self._sender.push_all(keys)
        self._link.pass_notes_on()
        return pushed

    # How it goes on and ends

    @property
    def _writes(self) -> bool:
        return self._settings.mode != "read-only"

    @property
    def failure(self) -> str | None:
        """Why the shared store failed last, without credentials; None when it did not."""
        return self._link.failure

    @property
    def unreachable(self) -> str | None:
        """Why the shared store is left alone now, without credentials; None while it is asked."""
        return None if self._link.is_open(writing=self._writes) else self._link.failure

    def close(self, *, wait: bool) -> None:
        """Stop pushing; with `wait`, when all that is listed was tried."""
        try:
            if wait and self._writes:
                self._push_pending()
            self._pusher.end(wait=wait, is_slow=self._tell_of_waiting)
        finally:
            self._link.pass_notes_on()

    def _push_pending(self) -> None:
        for key in self._pending.keys():  # noqa: SIM118 - no dict
            self._pusher.add(key)

    def _tell_of_waiting(self, count: int) -> None:
        self._link.tell(
            f"pushing {count} results to {self._settings.shown}; an interrupt leaves them for the next run"
        )
        self._link.pass_notes_on()
