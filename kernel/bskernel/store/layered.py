"""The local store with a shared one behind it: downloads what is missing here and uploads new results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from bskernel_protocol import Artifact, ArtifactKind, Digest, OutputDescription

from bskernel.core.action import Action, ActionResult
from bskernel.core.interfaces import Claimant, Wanted
from bskernel.store.codec import lacks_outputs
from bskernel.store.disk import DiskStore
from bskernel.store.fetcher import Fetcher
from bskernel.store.known_results import KNOWN, KnownResults
from bskernel.store.machine_claims import MachineClaims
from bskernel.store.remote import RemoteStore
from bskernel.store.remote_link import RemoteLink
from bskernel.store.settings import SharedSettings
from bskernel.store.signed_results import SignedResults
from bskernel.store.upload_journal import UploadJournal
from bskernel.store.upload_queue import UploadQueue
from bskernel.store.uploader import Pushed, Uploader


class LayeredStore:
    """Claims, captures and reads use the local store; the shared one only adds results and their blobs.

    A failing shared store is reported once and only costs time: results that could not be pushed stay in the upload
    journal. `note` is called only in the thread that created the store, when that thread calls a method.
    """

    answers_at_once = False

    def __init__(self, local: DiskStore, settings: SharedSettings, cache: Path, note: Callable[[str], None]) -> None:
        self._local = local
        self._settings = settings
        remote = RemoteStore(settings)
        self._link = RemoteLink(settings, note)
        self._pending = UploadJournal(cache, settings.name)
        signed = SignedResults(settings, self._link.queue_note)
        self._fetcher = Fetcher(local, remote, self._link, signed)
        self._sender = Uploader(local, remote, self._link, self._fetcher, self._pending, settings.origin, signed)
        self._machines = MachineClaims(remote, lambda: self._writes and self._link.is_open(writing=True))
        self._pusher = UploadQueue(self._push)
        self._queued: set[str] = set()  # keys of results of this process that the queue pushes
        self._known = KnownResults(local, cache / KNOWN / settings.identity)
        self._doubting = False
        if self._writes:
            self._push_pending()

    # Local only

    def capture(
        self, path: Path, name: str, kind: ArtifactKind, media_type: str, *, folder: int | None = None
    ) -> Artifact:
        """Store a file or tree locally, like DiskStore."""
        return self._local.capture(path, name, kind, media_type, folder=folder)

    def observe(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Store a file or tree of the user locally, like DiskStore."""
        return self._local.observe(path, name, kind, media_type)

    def put(self, data: bytes) -> Digest:
        """Store bytes locally and return their digest."""
        return self._local.put(data)

    def flush(self) -> None:
        """Wait until everything stored locally is on the disk."""
        self._local.flush()

    def claimant(self, action: Action) -> Claimant | None:
        """The process that has claimed an action."""
        return self._local.claimant(action)

    def claim(self, action: Action) -> contextlib.AbstractContextManager[bool]:
        """Claim an action among the processes of this machine."""
        return self._local.claim(action)

    # Claims among machines

    def announced(self, action: Action, taken: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """Claim an action that runs here among the machines of the shared store, unless it soon ends.

        Only builds that may write do: others make no result that anybody could wait for.
        """
        return self._machines.announced(action.key.sha256, taken)

    def other_machine(self, action: Action) -> str | None:
        """The machine that runs an action; None when there is none, or the shared store does not answer."""
        return self._machines.claimant(action.key.sha256)

    def unannounce(self, action: Action) -> None:
        """End the claim among machines; with write-back once the result is there."""
        if action.key.sha256 not in self._queued:
            self._machines.release(action.key.sha256)

    # Reads that fall back to the shared store

    def get(self, digest: Digest) -> bytes | None:
        """The verified bytes of that digest, or None."""
        data = self._local.get(digest)
        if data is None and self._fetcher.fetch_all([digest]):
            data = self._local.get(digest)
        self._link.deliver_notes()
        return data

    def materialise(self, artifact: Artifact, target: Path, *, read_only: bool = False) -> bool:
        """Copy the artifact to `target`; False, leaving nothing there, when bytes are missing from both stores."""
        copied = self._local.materialise(artifact, target, read_only=read_only)
        if not copied and self._fetcher.fetch_artifacts([artifact]):
            copied = self._local.materialise(artifact, target, read_only=read_only)
        self._link.deliver_notes()
        return copied

    def recall(self, action: Action, outputs: Iterable[OutputDescription] | None = None) -> ActionResult | None:
        """The action's result, from either store; downloads all its blobs first if it is remote.

        With `outputs`, a result with other outputs than those that are declared is none.
        """
        result = self._local.recall(action, outputs, origin=self._settings.origin)
        if result is None:
            result = self._recall_whole(action, outputs)
        self._link.deliver_notes()
        return result

    def look_up(
        self,
        action: Action,
        outputs: Iterable[OutputDescription] | None,
        wanted: Wanted,
        *,
        here: bool = False,
    ) -> ActionResult | None:
        """The action's result, from either store; downloads only what is `wanted` of a remote one.

        What the shared store once had counts without asking it again, until a blob turns out to be missing.
        """
        result = self._local.recall(action, outputs, origin=self._settings.origin)
        if result is None and not self._doubting:
            result = self._recall_part(action, outputs, wanted, here=here)
        elif result is None and not here:
            result = self._recall_whole(action, outputs)
        self._link.deliver_notes()
        return result

    def _recall_whole(self, action: Action, outputs: Iterable[OutputDescription] | None) -> ActionResult | None:
        """A remote result after downloading all its blobs."""
        result = self._fetcher.result_with_blobs(action.key.sha256, outputs)
        if result is not None:
            result = self._without_lost_log(result)
            self._remember_recalled(action, result)
        return result

    def _recall_part(
        self, action: Action, outputs: Iterable[OutputDescription] | None, wanted: Wanted, *, here: bool
    ) -> ActionResult | None:
        """A remote result after downloading what is wanted of it; with `here`, one that needs no download."""
        key = action.key.sha256
        known = self._known_result(key, outputs)
        result = known if known is not None or here else self._fetcher.result(key, outputs)
        if result is None:
            return None
        files = [made for made in result.outputs if wanted.outputs is None or made.name in wanted.outputs]
        others = [made.digest for made in result.outputs if wanted.listings and made.kind == "tree"]
        log = [result.log] if result.log is not None else []
        if here and not (all(map(self._local.holds, [*others, *log])) and self._local.has(files)):
            return None
        if not here and not (self._fetcher.fetch_artifacts(files, log) and self._fetcher.fetch_all(others)):
            if self._link.is_open():
                self._known.forget(key)
                self._fetcher.damaged.add(key)
            return None
        result = self._without_lost_log(result)
        if self._local.has(result.outputs):
            self._remember_recalled(action, result)
        elif result != known:
            self._known.note(key, result)
        return result

    def _known_result(self, key: str, outputs: Iterable[OutputDescription] | None) -> ActionResult | None:
        known = self._known.result(key)
        return None if known is None or (outputs is not None and lacks_outputs(known, outputs)) else known

    def _without_lost_log(self, result: ActionResult) -> ActionResult:
        if result.log is None or self._local.holds(result.log):
            return result
        return msgspec.structs.replace(result, log=None)  # the shared store has lost it

    def _remember_recalled(self, action: Action, result: ActionResult) -> None:
        self._local.remember(action, result, origin=self._settings.origin)
        self._known.forget(action.key.sha256)

    def doubt(self) -> None:
        """From now on only results count of which all blobs are here or can be downloaded."""
        self._doubting = True

    def deliver_notes(self) -> None:
        """Deliver notes, in the thread that created the store."""
        self._link.deliver_notes()

    def peek(self, action: Action, outputs: Iterable[OutputDescription] | None = None) -> ActionResult | None:
        """What `recall` would most likely return, without downloading blobs."""
        result = self._local.peek(action, outputs, origin=self._settings.origin)
        if result is None and not self._doubting:
            result = self._known_result(action.key.sha256, outputs)
        if result is None:
            result = self._fetcher.likely(action.key.sha256, outputs)
        self._link.deliver_notes()
        return result

    def fetch(self, artifacts: Iterable[Artifact]) -> bool:
        """Download the artifacts; False when bytes are missing from both stores."""
        fetched = self._fetcher.fetch_artifacts(artifacts)
        self._link.deliver_notes()
        return fetched

    def is_doubtful(self, key: str) -> bool:
        """True when the shared store's copy of that result was damaged."""
        return key in self._fetcher.damaged

    # Writes

    def remember(self, action: Action, result: ActionResult) -> None:
        """Store a result here and, depending on the mode, remotely. Raises ValueError for missing artifacts."""
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
            self._queued.add(key)
            self._pusher.add(key)
        self._link.deliver_notes()

    def share(self, artifacts: Iterable[Artifact]) -> bool:
        """Upload artifacts that no result names: the inputs of steps that other machines run."""
        shared = self._writes and self._sender.share(artifacts)
        self._link.deliver_notes()
        return shared

    def push(self, key: str, *, again: bool = False) -> bool:
        """Upload a result, with `again` even if it is there; False when it is not there afterwards."""
        if again:
            self._fetcher.damaged.add(key)
        pushed = self._sender.push(key)
        self._link.deliver_notes()
        return pushed

    def push_all(self, keys: Iterable[str]) -> Pushed:
        """Upload the results that are here, while the shared store answers."""
        pushed = self._sender.push_all(keys)
        self._link.deliver_notes()
        return pushed

    # State and end

    @property
    def _writes(self) -> bool:
        return self._settings.mode != "read-only"

    @property
    def failure(self) -> str | None:
        """The last error of the shared store, without credentials; None if it has not failed."""
        return self._link.failure

    @property
    def unreachable(self) -> str | None:
        """Why the shared store is not used now, without credentials; None while it is used."""
        return None if self._link.is_open(writing=self._writes) else self._link.failure

    def close(self, *, wait: bool) -> None:
        """Stop pushing, with `wait` once every pending result was tried."""
        try:
            if wait and self._writes:
                self._push_pending()
            self._pusher.end(wait=wait, is_slow=self._note_wait)
        finally:
            self._machines.close()
            self._link.deliver_notes()

    def _push(self, key: str) -> None:
        self._sender.push(key)
        self._queued.discard(key)
        self._machines.release(key)

    def _push_pending(self) -> None:
        for key in self._pending.keys():  # noqa: SIM118 - not a dict
            self._pusher.add(key)

    def _note_wait(self, count: int) -> None:
        self._link.queue_note(
            f"pushing {count} results to {self._settings.shown}; an interrupt leaves them for the next run"
        )
        self._link.deliver_notes()
