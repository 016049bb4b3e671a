"""Bytes on disk, named by their digest. Every write is atomic, every read is verified."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from bskernel_protocol import Digest, digest_of_bytes

from bskernel.core.places import Place, within

# The modification time of every blob that this store wrote completely. A later write to the file changes it, so a
# blob with this time and the right size counts as intact until its bytes are read.
STAMP_NS = 315_532_800 * 10**9
_FICLONE = 0x40049409
_CHUNK = 1 << 20  # bytes
_NOT_CLONED = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}


class Blobs:
    """Files at AB/SHA256 under a folder; they are written in `incoming` first.

    Nothing is flushed to the disk: a blob that a power failure tears does not match its digest, so it counts as
    missing and the step that produced it runs again.
    """

    def __init__(self, folder: Path, incoming: Path, place: Place) -> None:
        """`place` is what both folders are part of, for messages."""
        self._place = place
        self._folder = str(folder)
        self._incoming = str(incoming)
        self._prefixes: set[str] = set()
        self._prefix = f"{os.getpid():x}-{os.urandom(6).hex()}"
        self._count = 0
        self._clones = True  # until the file system refuses

    def put(self, data: bytes) -> Digest:
        """Store bytes and return their digest; replaces a damaged copy."""
        digest = digest_of_bytes(data)
        if not self.is_whole(digest):
            with self.new() as temporary:
                with open(temporary, "xb", buffering=0) as file:
                    _write(file.fileno(), memoryview(data))
                self.adopt(temporary, digest)
        return digest

    def put_file(self, path: Path) -> Digest:
        """Store a file's bytes, reading them once. Raises OSError when the file cannot be read."""
        with open(path, "rb", buffering=0) as source:
            if os.fstat(source.fileno()).st_size < _CHUNK:
                return self.put(source.read())
            with self.new() as temporary:
                with open(temporary, "xb+", buffering=0) as target:
                    # A clone is a snapshot; without one, the bytes that are hashed are the bytes that are written.
                    cloned = self._clone(source.fileno(), target.fileno())
                    digest = _hash(target.fileno()) if cloned else _hash(source.fileno(), target.fileno())
                if self.is_whole(digest):
                    _unlink(temporary)
                else:
                    self.adopt(temporary, digest)
        return digest

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, or None when they are missing or damaged. Removes a damaged blob."""
        path = self.path(digest)
        try:
            with open(path, "rb", buffering=0) as file:
                data = file.read()
        except OSError:
            return None
        if digest_of_bytes(data) == digest:
            return data
        _unlink(path)
        return None

    def write_to(self, digest: Digest, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        """Write the bytes to `target` and verify them; False, leaving no file, when they are missing or damaged.

        Overwrites an existing file in place, which changes its other hard links too.
        With `link`, `target` may be a hard link to the blob: only for readers that cannot write to it.
        """
        path, name = self.path(digest), str(target)
        try:
            source = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            if link and not executable and _linked(path, name):
                whole = _hash(source) == digest
            else:
                mode = 0o755 if executable else 0o644
                copy = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode)
                try:
                    os.fchmod(copy, mode)
                    # Truncate last: some file systems write a file out at once when it is truncated first.
                    cloned = digest.size >= _CHUNK and self._clone(source, copy)
                    whole = (_hash(copy) if cloned else _hash(source, copy)) == digest
                    os.ftruncate(copy, digest.size)
                finally:
                    os.close(copy)
        finally:
            os.close(source)
        if not whole:
            _unlink(name)
            _unlink(path)
        return whole

    def is_whole(self, digest: Digest) -> bool:
        """True when the blob exists and is intact. Reads its bytes only if it was written to since the last check."""
        path = self.path(digest)
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size != digest.size:
                return False
            if status.st_mtime_ns == STAMP_NS:
                return True
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            whole = _hash(file) == digest
            if whole and os.fstat(file).st_mtime_ns == status.st_mtime_ns:
                with contextlib.suppress(OSError):  # another user's file
                    os.utime(file, ns=(STAMP_NS, STAMP_NS))
        finally:
            os.close(file)
        if not whole:
            _unlink(path)
        return whole

    def path(self, digest: Digest) -> str:
        """The path of the blob, whether or not it exists."""
        return f"{self._folder}/{digest.sha256[:2]}/{digest.sha256}"

    def adopt(self, temporary: str, digest: Digest) -> None:
        """Move a file from `new`, whose digest has been verified, to the blob's path."""
        os.utime(temporary, ns=(STAMP_NS, STAMP_NS))
        if digest.sha256[:2] not in self._prefixes:
            os.makedirs(f"{self._folder}/{digest.sha256[:2]}", exist_ok=True)
            self._prefixes.add(digest.sha256[:2])
        os.replace(temporary, self.path(digest))

    @contextlib.contextmanager
    def new(self) -> Iterator[str]:
        """A fresh path in `incoming`; the file is removed when the context raises.

        Raises EnvironmentLacking when the disk is full, or refuses a write in the context for other reasons.
        """
        self._count += 1  # not atomic across threads: the thread's id is part of the name too
        temporary = f"{self._incoming}/{self._prefix}-{threading.get_ident():x}-{self._count}"
        try:
            with within(self._place):
                yield temporary
        except BaseException:
            _unlink(temporary)
            raise

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """Like `new`, but the file is also removed at the end of the context."""
        with self.new() as temporary:
            yield temporary
            _unlink(temporary)

    def _clone(self, source: int, target: int) -> bool:
        if not self._clones:
            return False
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno not in _NOT_CLONED:
                raise
            self._clones = False
        return self._clones


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _linked(path: str, target: str) -> bool:
    try:
        os.link(path, target)
    except OSError:  # another file system, no hard links, or too many of them
        return False
    return True


def _write(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


def _hash(source: int, target: int | None = None) -> Digest:
    """The digest of a whole file, whose bytes are also copied to `target`."""
    os.lseek(source, 0, os.SEEK_SET)
    buffer = memoryview(bytearray(min(_CHUNK, os.fstat(source).st_size + 1)))
    hasher, size = hashlib.sha256(), 0
    while count := os.readv(source, [buffer]):
        part = buffer[:count]
        hasher.update(part)
        if target is not None:
            _write(target, part)
        size += count
    return Digest(sha256=hasher.hexdigest(), size=size)
