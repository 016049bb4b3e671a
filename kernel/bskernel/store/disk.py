"""A store on disk: every write is whole or not at all, every read is verified."""

from __future__ import annotations

import contextlib
import os
import posixpath
import time
from collections.abc import Callable
from pathlib import Path

from bskernel_protocol import Artifact, ArtifactKind, Digest, TreeListing, canonical_bytes

from bskernel.core.action import Action, ActionResult
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import OutputViolation
from bskernel.store.blobs import Blobs
from bskernel.store.claims import Claims
from bskernel.store.codec import decoded_listing, decoded_result
from bskernel.store.file_digests import FileDigests
from bskernel.store.trees import list_tree

_USE_NOTED_S = 86_400  # how much older than this a result's time must be before its use is noted by it


class DiskStore:
    """Blobs under blobs/AB/SHA256, results of actions under actions/AB/SHA256."""

    def __init__(self, root: Path, files: FileDigests | None = None) -> None:
        """`files` knows which of the user's files were read. Raises EnvironmentLacking when `root` is read-only."""
        self._files = files or FileDigests()
        self._actions = root / "actions"
        blobs, incoming = root / "blobs", root / "incoming"
        self._bytes = Blobs(blobs, incoming)
        self._claims = Claims(root / "claims")
        try:
            for folder in (blobs, self._actions, incoming):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentLacking(
                f"the cache {root} cannot be written: {error.strerror}",
                hint="set BSKERNEL_CACHE to another folder",
            ) from error

    def put(self, data: bytes) -> Digest:
        """Keep bytes; a damaged copy is replaced."""
        return self._bytes.put(data)

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, or None when they are missing, torn or altered."""
        return self._bytes.get(digest)

    def observe(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Keep a file or tree of the user's, as `capture` does: a file that has not changed is not read again."""
        return self._captured(path, name, kind, media_type, self._take_known)

    def capture(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Keep a file or tree. What is kept is what was read, even if somebody goes on writing.

        Raises OutputViolation for a missing path, the other kind, links out of it and special files.
        """
        return self._captured(path, name, kind, media_type, self._bytes.take)

    def _captured(
        self, path: Path, name: str, kind: ArtifactKind, media_type: str, take: Callable[[Path], Digest]
    ) -> Artifact:
        if path.is_symlink() or not (path.is_file() if kind == "file" else path.is_dir()):
            raise OutputViolation(f"{name} is not a {'plain file' if kind == 'file' else 'folder'}")
        digest = take(path) if kind == "file" else self.put(canonical_bytes(list_tree(path, name, take)))
        return Artifact(name=name, kind=kind, digest=digest, media_type=media_type)

    def _take_known(self, path: Path) -> Digest:
        digest = self._files.known(path)
        if digest is None or not self._bytes.is_whole(digest):
            before = path.stat()
            digest = self._bytes.take(path)
            self._files.note(path, before, digest)
        return digest

    def materialise(self, artifact: Artifact, target: Path, *, read_only: bool = False) -> bool:
        """Lay the artifact at `target` as a copy; False, with nothing left there, when bytes are missing.

        Where nobody who gets it can write there, `read_only`, no copy is made but links, as far as that goes.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if artifact.kind == "file":
            return self._bytes.lay(artifact.digest, target, link=read_only)
        listing = self._listing(artifact)
        if listing is None:
            return False
        target.mkdir()
        made = {"."}
        for file in listing.files:
            folder = posixpath.dirname(file.path)
            if folder not in made:
                (target / folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            if not self._bytes.lay(file.digest, target / file.path, executable=file.executable, link=read_only):
                import shutil

                shutil.rmtree(target)
                return False
        return True

    def recall(self, action: Action) -> ActionResult | None:
        """What the action made, if every byte of it is here; those of what was written to since are read."""
        return self.recall_key(action.key.sha256)

    def peek(self, action: Action) -> ActionResult | None:
        """The same: nothing has to be fetched."""
        return self.recall(action)

    def recall_key(self, key: str) -> ActionResult | None:
        """As `recall`, by the action's key."""
        path = self._action(key)
        try:
            result = decoded_result(path.read_bytes())
        except OSError:
            return None
        if result is None or not all(self._complete(artifact) for artifact in result.outputs):
            return None
        _note_use(path)
        return result

    def remember(self, action: Action, result: ActionResult) -> None:
        """Keep a result. Raises ValueError when an artifact of it is not here."""
        self.check(result)
        target = self._action(action.key.sha256)
        target.parent.mkdir(exist_ok=True)
        with self._bytes.new() as temporary:
            Path(temporary).write_bytes(canonical_bytes(result))
            Path(temporary).replace(target)

    def check(self, result: ActionResult) -> None:
        """Raises ValueError when an artifact of it is not here."""
        for artifact in result.outputs:
            if not self._complete(artifact):
                raise ValueError(f"artifact {artifact.name} is not in the store")

    def save(self) -> None:
        """Remember which files of the user's were read."""
        self._files.save()

    def claim(self, action: Action) -> contextlib.AbstractContextManager[bool]:
        """Claim an action while it is carried out; False when another thread or process has claimed it."""
        return self._claims.attempt(action.key)

    def keys(self) -> list[str]:
        """The keys of all results, in order."""
        return sorted(name for _, _, names in os.walk(self._actions) for name in names)

    def holds(self, digest: Digest) -> bool:
        """Is that blob here, as far as its size and stamp tell?"""
        return self._bytes.is_whole(digest)

    def blob_path(self, digest: Digest) -> str:
        """Where the blob lies, if it is here."""
        return self._bytes.path(digest)

    def new(self) -> contextlib.AbstractContextManager[str]:
        """A name for a file that may be adopted; if it is not, it is gone afterwards."""
        return self._bytes.scratch()

    def adopt(self, path: str, digest: Digest) -> None:
        """Take a file that `new` has named, and whose bytes were verified, as that blob."""
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


def _note_use(path: Path) -> None:
    with contextlib.suppress(OSError):  # of another user
        if path.stat().st_mtime + _USE_NOTED_S < time.time():
            os.utime(path)
