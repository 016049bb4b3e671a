"""A store on disk. Every write is atomic, every read is verified."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bskernel_protocol import Artifact, ArtifactKind, Digest, OutputDescription, TreeListing, canonical_bytes

from bskernel.core.action import Action, ActionResult
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Claimant, OutputViolation, Wanted
from bskernel.core.places import Place, cache_place, within
from bskernel.remains.folder import RemainsRefused, opened_folder
from bskernel.remains.limits import limits_from
from bskernel.remains.plain_files import read_plain
from bskernel.remains.removal import remove
from bskernel.remains.tree import open_file
from bskernel.store.blobs import Blobs
from bskernel.store.claims import Claims
from bskernel.store.codec import (
    MAX_LISTING,
    MAX_RESULT,
    StoredResult,
    decoded_listing,
    decoded_stored,
    encoded_stored,
    lacks_outputs,
)
from bskernel.store.file_digests import FileDigests
from bskernel.store.generation import Generation
from bskernel.store.seal import SEAL_BYTES
from bskernel.store.trees import list_tree
from bskernel.store.usage_lock import hold_exclusive

_KEY = re.compile(r"[0-9a-f]{64}")
_TOUCH_AFTER_S = 86_400  # a use updates a result's modification time only if that is older than this


class DiskStore:
    """Blobs under blobs/AB/SHA256, results of actions under actions/AB/SHA256."""

    answers_at_once = True
    unreachable: str | None = None

    def __init__(self, root: Path, files: FileDigests | None = None) -> None:
        """`files` holds known digests of the user's files. Raises EnvironmentLacking when `root` cannot be used."""
        self._files = files or FileDigests()
        self._root = root
        self._actions = root / "actions"
        blobs, incoming = root / "blobs", root / "incoming"
        place = cache_place(root)
        self._claims = Claims(root / "claims")
        with within(place, Place("the folder of the cache", str(root.parent), place.advice)):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)  # whatever the umask: nobody else's results
            for folder in (blobs, self._actions, incoming):
                folder.mkdir(parents=True, exist_ok=True)
        self.generation = Generation(root)
        self._bytes = Blobs(blobs, incoming, self.generation, place)

    def put(self, data: bytes) -> Digest:
        """Store bytes and return their digest; replaces a damaged copy."""
        return self._bytes.put(data)

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, or None when they are missing or damaged."""
        return self._bytes.get(digest)

    def observe(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Store a file or tree of the user like `capture`, without opening files that have not changed."""

        def known(inside: str) -> bool:
            digest = self._files.known(path / inside)
            return digest is not None and self._bytes.is_whole(digest)

        def take(file: int | None, inside: str) -> Digest:
            return self._take_observed(path / inside, file)

        base = os.path.realpath(path) if kind == "tree" else None
        return self._capture(path, name, kind, media_type, take, base=base, known=known)

    def capture(
        self, path: Path, name: str, kind: ArtifactKind, media_type: str, *, folder: int | None = None
    ) -> Artifact:
        """Store a file or tree as it was read, even if another process keeps writing to it.

        `path` may be a name in an open `folder`. Raises OutputViolation for a missing path, the wrong kind, links out
        of the tree, special files and bits, and what exceeds the limits.
        """

        def take(file: int | None, _: str) -> Digest:
            if file is None:
                raise ValueError("nothing is known of what a step left")
            return self._bytes.put_opened(file)

        return self._capture(path, name, kind, media_type, take, folder=folder)

    def _capture(
        self,
        path: Path,
        name: str,
        kind: ArtifactKind,
        media_type: str,
        take: Callable[[int | None, str], Digest],
        *,
        folder: int | None = None,
        base: str | None = None,
        known: Callable[[str], bool] = lambda _: False,
    ) -> Artifact:
        limits = limits_from()
        try:
            if kind == "tree":
                with opened_folder(path, dir_fd=folder) as root:
                    listing = list_tree(root, name, limits, take, base=base, known=known)
                digest = self._put_listing(listing, name)
            elif folder is None and stat.S_ISREG(os.lstat(path).st_mode) and known(""):
                digest = take(None, "")
            else:
                file = open_file(str(path), name, limits, dir_fd=folder)
                try:
                    digest = take(file, "")
                finally:
                    os.close(file)
        except RemainsRefused as error:
            raise OutputViolation(str(error)) from error
        except FileNotFoundError as error:
            raise OutputViolation(f"{name} is missing") from error
        return Artifact(name=name, kind=kind, digest=digest, media_type=media_type)

    def _put_listing(self, listing: TreeListing, name: str) -> Digest:
        data = canonical_bytes(listing)
        if decoded_listing(data) is None:
            raise OutputViolation(
                f"{name} has paths that are too long or too deep, or more than {MAX_LISTING >> 20} MiB of them"
            )
        return self.put(data)

    def _take_observed(self, path: Path, file: int | None) -> Digest:
        digest = self._files.known(path)
        if file is None and digest is not None:
            return digest
        if file is None:
            raise OutputViolation(f"{path} changed while it was read")
        if digest is None or not self._bytes.is_whole(digest):
            before = os.fstat(file)
            digest = self._bytes.put_opened(file)
            self._files.note(path, before, digest)
        return digest

    def materialise(self, artifact: Artifact, target: Path, *, read_only: bool = False) -> bool:
        """Copy the artifact to `target`; False, leaving nothing there, when bytes are missing.

        With `read_only`, when no reader can write to `target`, hard links replace copies where possible.
        """
        # Its folder mostly exists: asking first takes longer than a short file.
        try:
            return self._materialise(artifact, str(target), read_only=read_only)
        except FileNotFoundError:
            os.makedirs(target.parent, exist_ok=True)
            return self._materialise(artifact, str(target), read_only=read_only)

    def _materialise(self, artifact: Artifact, target: str, *, read_only: bool) -> bool:
        """The same, in a folder that exists: otherwise raises FileNotFoundError."""
        if artifact.kind == "file":
            return self._bytes.write_to(artifact.digest, target, link=read_only)
        listing = self._listing(artifact)
        if listing is None:
            return False
        os.mkdir(target)
        existing = {""}
        for file in listing.files:
            folder = posixpath.dirname(file.path)
            if folder not in existing:
                os.makedirs(f"{target}/{folder}", exist_ok=True)
                existing.add(folder)
            to = f"{target}/{file.path}"
            if not self._bytes.write_to(file.digest, to, executable=file.executable, link=read_only):
                remove(target)
                return False
        return True

    def recall(
        self, action: Action, outputs: Iterable[OutputDescription] | None = None, *, origin: str = ""
    ) -> ActionResult | None:
        """The action's result if all its blobs are here. Reads blobs that were written to since the last check.

        With `outputs`, a result with other outputs than those that are declared is none. A result that came from a
        shared store counts only for a build that uses it: `origin` is that store's name.
        """
        result = self.recall_key(action.key.sha256, origin=origin)
        return None if result is None or (outputs is not None and lacks_outputs(result, outputs)) else result

    def look_up(
        self,
        action: Action,
        outputs: Iterable[OutputDescription] | None,
        wanted: Wanted,  # noqa: ARG002 - everything is here
        *,
        here: bool = False,  # noqa: ARG002
    ) -> ActionResult | None:
        """The same as `recall`: a local store has all of a result."""
        return self.recall(action, outputs)

    def doubt(self) -> None:
        """Nothing changes: only whole results ever count."""

    def deliver_notes(self) -> None:
        """There are none."""

    def peek(
        self, action: Action, outputs: Iterable[OutputDescription] | None = None, *, origin: str = ""
    ) -> ActionResult | None:
        """The same as `recall`: a local store fetches nothing."""
        return self.recall(action, outputs, origin=origin)

    def recall_key(self, key: str, *, origin: str = "") -> ActionResult | None:
        """Like `recall`, by the action's key."""
        path = self._action(key)
        stored = decoded_stored(key, read_plain(path, MAX_RESULT + SEAL_BYTES))
        if stored is None or stored.origin not in {"", origin}:
            return None
        if not self.has(stored.result.outputs):
            return None
        if stored.result.log is not None and not self._bytes.is_whole(stored.result.log):
            return None
        _touch(path)
        return stored.result

    def remember(self, action: Action, result: ActionResult, *, origin: str = "") -> None:
        """Store a result, with the shared store that it came from, if any.

        Raises ValueError when one of its artifacts is missing or its record cannot be stored.
        """
        self.check(result)
        key = action.key.sha256
        self._bytes.store(encoded_stored(key, StoredResult(result=result, origin=origin)), self._action(key))

    def has(self, artifacts: Iterable[Artifact]) -> bool:
        """True when all bytes of the artifacts are here."""
        return all(self._complete(artifact) for artifact in artifacts)

    def check(self, result: ActionResult) -> None:
        """Raise ValueError when one of the result's artifacts is missing."""
        for artifact in result.outputs:
            if not self._complete(artifact):
                raise ValueError(f"artifact {artifact.name} is not in the store")

    def keep(self, data: bytes, path: Path) -> None:
        """Write a file of the cache that is neither blob nor result, whole or not at all."""
        self._bytes.store(data, path)

    def save(self) -> None:
        """Save the known digests of the user's files."""
        self._files.save()

    def flush(self) -> None:
        """Wait until everything stored is on the disk; returns at once when it is."""
        self.generation.flush()

    def settle(self) -> None:
        """Wait until the cache is on the disk and note that it is, unless another process uses it: that one will."""
        if self.generation.is_unsynced:
            with contextlib.suppress(EnvironmentLacking, OSError), hold_exclusive(self._root):
                self.generation.settle()

    def claimant(self, action: Action) -> Claimant | None:
        """The process that has claimed an action; None when it cannot be found."""
        return self._claims.claimant(action.key)

    def claim(self, action: Action) -> contextlib.AbstractContextManager[bool]:
        """Claim an action during the context; yields False when another thread or process has claimed it."""
        return self._claims.attempt(action.key)

    def announced(
        self,
        action: Action,  # noqa: ARG002
        taken: Callable[[], None],  # noqa: ARG002
    ) -> contextlib.AbstractContextManager[None]:
        """Nothing: other machines have other stores."""
        return contextlib.nullcontext()

    def unannounce(self, action: Action) -> None:
        """Nothing was announced."""

    def other_machine(self, action: Action) -> str | None:  # noqa: ARG002
        """None: there is no other."""
        return None

    def keys(self) -> list[str]:
        """The keys of all results, in order."""
        return sorted(name for _, _, names in os.walk(self._actions) for name in names if _KEY.fullmatch(name))

    def holds(self, digest: Digest) -> bool:
        """True when the blob is here. Reads its bytes only if it was written to since the last check."""
        return self._bytes.is_whole(digest)

    def blob_path(self, digest: Digest) -> str:
        """The path of the blob, whether or not it exists."""
        return self._bytes.path(digest)

    def new(self) -> contextlib.AbstractContextManager[str]:
        """A fresh path for a file to adopt; a file that is not adopted is removed at the end of the context."""
        return self._bytes.scratch()

    def adopt(self, path: str, digest: Digest) -> None:
        """Move a file from `new`, whose digest has been verified, to the blob's path."""
        self._bytes.adopt(path, digest)

    def _complete(self, artifact: Artifact) -> bool:
        if artifact.kind == "file":
            return self._bytes.is_whole(artifact.digest)
        listing = self._listing(artifact)
        return listing is not None and all(self._bytes.is_whole(file.digest) for file in listing.files)

    def _listing(self, artifact: Artifact) -> TreeListing | None:
        return decoded_listing(self.get(artifact.digest))

    def _action(self, key: str) -> Path:
        return self._actions / key[:2] / key


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):  # another user's file
        if path.stat().st_mtime + _TOUCH_AFTER_S < time.time():
            os.utime(path)
