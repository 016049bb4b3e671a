"""A store on disk: every write is whole or not at all, every read is verified."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import uuid
from pathlib import Path

import msgspec
from bskernel_protocol import (
    Artifact,
    ArtifactKind,
    Digest,
    ProtocolError,
    TreeFile,
    TreeListing,
    canonical_bytes,
    decode_document,
    digest_of_bytes,
    digest_of_file,
)

from bskernel.action import Action, ActionResult
from bskernel.errors import EnvironmentLacking
from bskernel.ports import OutputViolation
from bskernel.store.claims import Claims

_results = msgspec.msgpack.Decoder(ActionResult)


class DiskStore:
    """Blobs under blobs/AB/SHA256, results of actions under actions/AB/SHA256."""

    def __init__(self, root: Path) -> None:
        """Raises EnvironmentLacking when `root` cannot be written."""
        self._blobs = root / "blobs"
        self._actions = root / "actions"
        self._incoming = root / "incoming"
        self._claims = Claims(root / "claims")
        try:
            for folder in (self._blobs, self._actions, self._incoming):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentLacking(
                f"the cache {root} cannot be written: {error.strerror}",
                hint="set BSKERNEL_CACHE to another folder",
            ) from error

    def put(self, data: bytes) -> Digest:
        """Keep bytes; a damaged copy is replaced."""
        digest = digest_of_bytes(data)
        target = self._blob(digest)
        if self._intact(digest):
            return digest
        self._write(target, data)
        return digest

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, or None when they are missing, torn or altered."""
        try:
            data = self._blob(digest).read_bytes()
        except OSError:
            return None
        return data if digest_of_bytes(data) == digest else None

    def capture(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Keep a file or tree. What is kept is what was read, even if somebody goes on writing.

        Raises OutputViolation for a missing path, the other kind, links out of it and special files.
        """
        if kind == "file":
            if path.is_symlink() or not path.is_file():
                raise OutputViolation(f"{name} is not a plain file")
            digest = self.put(path.read_bytes())
        else:
            if path.is_symlink() or not path.is_dir():
                raise OutputViolation(f"{name} is not a folder")
            listing = TreeListing(files=tuple(sorted(self._tree(path, path, name), key=lambda file: file.path)))
            digest = self.put(canonical_bytes(listing))
        return Artifact(name=name, kind=kind, digest=digest, media_type=media_type)

    def _tree(self, root: Path, folder: Path, name: str) -> list[TreeFile]:
        files: list[TreeFile] = []
        for path in sorted(folder.iterdir()):
            inside = path.relative_to(root).as_posix()
            if path.is_symlink():
                real = path.resolve()
                if not real.is_relative_to(root.resolve()):
                    raise OutputViolation(f"{name}/{inside} links to {path.readlink()}, outside the tree")
                if not real.is_file():
                    raise OutputViolation(
                        f"{name}/{inside} links to no file: only links to files of the tree are kept"
                    )
            if path.is_dir():
                files += self._tree(root, path, name)
                continue
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode):
                raise OutputViolation(f"{name}/{inside} is a special file")
            try:
                digest = self.put(path.read_bytes())
                files.append(TreeFile(path=inside, digest=digest, executable=bool(mode & stat.S_IXUSR)))
            except ValueError as error:
                raise OutputViolation(f"{name}: {error}") from error
        return files

    def materialise(self, artifact: Artifact, target: Path) -> bool:
        """Lay the artifact at `target` as a copy; False, with nothing left there, when bytes are missing."""
        data = self.get(artifact.digest)
        if data is None:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        if artifact.kind == "file":
            target.write_bytes(data)
            return True
        listing = self._listing(data)
        if listing is None:
            return False
        target.mkdir()
        for file in listing.files:
            content = self.get(file.digest)
            if content is None:
                shutil.rmtree(target)
                return False
            path = target / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755 if file.executable else 0o644)
        return True

    def recall(self, action: Action) -> ActionResult | None:
        """What the action made, if every byte of it is here and whole."""
        try:
            result = _results.decode(self._action(action.key).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None
        return result if all(self._complete(artifact) for artifact in result.outputs) else None

    def remember(self, action: Action, result: ActionResult) -> None:
        """Keep a result. Raises ValueError when an artifact of it is not here."""
        for artifact in result.outputs:
            if not self._complete(artifact):
                raise ValueError(f"artifact {artifact.name} is not in the store")
        self._write(self._action(action.key), canonical_bytes(result))

    def claim(self, action: Action) -> contextlib.AbstractContextManager[bool]:
        """Claim an action while it is carried out; False when another thread or process has claimed it."""
        return self._claims.attempt(action.key)

    def _complete(self, artifact: Artifact) -> bool:
        if artifact.kind == "file":
            return self._intact(artifact.digest)
        data = self.get(artifact.digest)
        listing = self._listing(data) if data is not None else None
        return listing is not None and all(self._intact(file.digest) for file in listing.files)

    def _intact(self, digest: Digest) -> bool:
        path = self._blob(digest)
        try:
            return path.stat().st_size == digest.size and digest_of_file(path) == digest
        except OSError:
            return False

    @staticmethod
    def _listing(data: bytes) -> TreeListing | None:
        try:
            document = decode_document(data)
        except ProtocolError:
            return None
        return document if isinstance(document, TreeListing) else None

    def _blob(self, digest: Digest) -> Path:
        return self._blobs / digest.sha256[:2] / digest.sha256

    def _action(self, key: Digest) -> Path:
        return self._actions / key.sha256[:2] / key.sha256

    def _write(self, target: Path, data: bytes) -> None:
        target.parent.mkdir(exist_ok=True)
        temporary = self._incoming / uuid.uuid4().hex
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
