"""Bytes on disk by their digest: every write is whole or not at all, every read is verified."""

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

# A blob that this store wrote, whole, has this modification time, and whatever is written into it later takes that
# away: of one that has it, the size is all that need be looked at until its bytes are read.
STAMP_NS = 315_532_800 * 10**9
_FICLONE = 0x40049409
_CHUNK = 1 << 20
_NOT_CLONED = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}


class Blobs:
    """Files at AB/SHA256 under a folder; `incoming` is where they are written before they get there.

    Nothing is flushed to the disk: a blob that a power failure tears has not its digest's size or bytes, so it is
    missing, and what made it runs again.
    """

    def __init__(self, folder: Path, incoming: Path) -> None:
        self._folder = str(folder)
        self._incoming = str(incoming)
        self._prefixes: set[str] = set()
        self._named = f"{os.getpid():x}-{os.urandom(6).hex()}"
        self._count = 0
        self._clones = True  # until the file system says that it cannot

    def put(self, data: bytes) -> Digest:
        """Keep bytes; a damaged copy is replaced."""
        digest = digest_of_bytes(data)
        if not self.is_whole(digest):
            with self.new() as temporary:
                with open(temporary, "xb", buffering=0) as file:
                    _write(file.fileno(), memoryview(data))
                self.adopt(temporary, digest)
        return digest

    def take(self, path: Path) -> Digest:
        """Keep a file's bytes as they are read, once. Raises OSError when they cannot be."""
        with open(path, "rb", buffering=0) as source:
            if os.fstat(source.fileno()).st_size < _CHUNK:
                return self.put(source.read())
            with self.new() as temporary:
                with open(temporary, "xb+", buffering=0) as target:
                    # A clone is what the file was at one moment; without one, what was read is what is written.
                    cloned = self._clone(source.fileno(), target.fileno())
                    digest = _hash(target.fileno()) if cloned else _hash(source.fileno(), target.fileno())
                if self.is_whole(digest):
                    _unlink(temporary)
                else:
                    self.adopt(temporary, digest)
        return digest

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, or None when they are missing, torn or altered; damaged ones are removed."""
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

    def lay(self, digest: Digest, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        """Lay the bytes at `target`, verified; False, with nothing left there, when they are missing or damaged.

        A file that is there is overwritten, one that it is linked with too.
        With `link`, what lies there may be the blob itself: only for those who cannot write there.
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
                made = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode)
                try:
                    os.fchmod(made, mode)
                    # Cut to the size last: what is emptied first is written out at once by some file systems.
                    cloned = digest.size >= _CHUNK and self._clone(source, made)
                    whole = (_hash(made) if cloned else _hash(source, made)) == digest
                    os.ftruncate(made, digest.size)
                finally:
                    os.close(made)
        finally:
            os.close(source)
        if not whole:
            _unlink(name)
            _unlink(path)
        return whole

    def is_whole(self, digest: Digest) -> bool:
        """Is there a blob that nobody has written into since it was found whole? Else its bytes are read."""
        path = self.path(digest)
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_size != digest.size:
                return False
            if found.st_mtime_ns == STAMP_NS:
                return True
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            whole = _hash(file) == digest
            if whole and os.fstat(file).st_mtime_ns == found.st_mtime_ns:
                with contextlib.suppress(OSError):  # of another user
                    os.utime(file, ns=(STAMP_NS, STAMP_NS))
        finally:
            os.close(file)
        if not whole:
            _unlink(path)
        return whole

    def path(self, digest: Digest) -> str:
        """Where its blob lies, if there is one."""
        return f"{self._folder}/{digest.sha256[:2]}/{digest.sha256}"

    def adopt(self, temporary: str, digest: Digest) -> None:
        """Take a file that was found to have that digest, under a name of `new`, as the blob."""
        os.utime(temporary, ns=(STAMP_NS, STAMP_NS))
        if digest.sha256[:2] not in self._prefixes:
            os.makedirs(f"{self._folder}/{digest.sha256[:2]}", exist_ok=True)
            self._prefixes.add(digest.sha256[:2])
        os.replace(temporary, self.path(digest))

    @contextlib.contextmanager
    def new(self) -> Iterator[str]:
        """A name for a file to be; what is there when that fails is removed."""
        self._count += 1  # by threads too: os.urandom tells stores apart, open("x") what is left
        temporary = f"{self._incoming}/{self._named}-{threading.get_ident():x}-{self._count}"
        try:
            yield temporary
        except BaseException:
            _unlink(temporary)
            raise

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """As `new`, but what is still there afterwards is removed in any case."""
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
    except OSError:  # another file system, or one without links, or too many
        return False
    return True


def _write(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


def _hash(source: int, target: int | None = None) -> Digest:
    """The digest of what is in a file from its beginning, which is also written to `target`."""
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
