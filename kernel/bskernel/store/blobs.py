"""Bytes on disk, named by their digest. Every write is atomic, every read is verified."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from bskernel_protocol import Digest, digest_of_bytes
from bskernel_protocol.plain_file import write_all

from bskernel.core.places import Place, within
from bskernel.host.temporary import mark
from bskernel.remains.plain_files import discard, move, open_plain, write_new
from bskernel.store.extents import copy_extents
from bskernel.store.generation import Generation

_FICLONE = 0x40049409
_CHUNK = 1 << 20  # bytes
_NOT_CLONED = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}


class Blobs:
    """Files at AB/SHA256 under a folder; they are written in `incoming` first.

    A blob that was found intact gets the stamp of the cache's generation as its modification time. A later write
    changes it, so a blob with the stamp and the right size counts as intact until its bytes are read.
    """

    def __init__(self, folder: Path, incoming: Path, generation: Generation, place: Place) -> None:
        """`place` is what both folders are part of, for messages."""
        self._place = place
        self._folder = str(folder)
        self._incoming = str(incoming)
        self._generation = generation
        self._count = 0
        self._mark = mark()
        self._clones = True  # until the file system refuses

    def put(self, data: bytes) -> Digest:
        """Store bytes and return their digest; replaces a damaged copy."""
        digest = digest_of_bytes(data)
        if not self.is_whole(digest):
            with self.new() as temporary:
                write_new(temporary, data)
                self.adopt(temporary, digest)
        return digest

    def put_opened(self, source: int) -> Digest:
        """Store the bytes that an open file has now, reading them once; holes stay holes. Raises OSError."""
        size = os.fstat(source).st_size
        if size < _CHUNK:
            return self.put(_read(source, size))
        with self.new() as temporary:
            with open(temporary, "xb+", buffering=0) as target:
                # A clone is a snapshot; without one, the bytes that are hashed are the bytes that are written.
                cloned = self._clone(source, target.fileno())
                digest = _hash(target.fileno()) if cloned else copy_extents(source, target.fileno(), size)
            if self.is_whole(digest):
                _unlink(temporary)
            else:
                self.adopt(temporary, digest)
        return digest

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, or None when they are missing or damaged. Removes a damaged blob."""
        path = self.path(digest)
        try:
            file = open_plain(path)
        except OSError:
            return None
        try:
            data = _read(file, digest.size) if os.fstat(file).st_size == digest.size else None
        except OSError:
            return None
        finally:
            os.close(file)
        if data is not None and _is(data, digest):
            return data
        self._remove_damaged(path)
        return None

    def write_to(self, digest: Digest, target: str | Path, *, executable: bool = False, link: bool = False) -> bool:
        """Write the bytes to `target` and verify them; False, leaving no file, when they are missing or damaged.

        Overwrites an existing file in place, which changes its other hard links too.
        With `link`, `target` may be a hard link to the blob: only for readers that cannot write to it.
        """
        path, name = self.path(digest), str(target)
        try:
            source = open_plain(path)
        except OSError:
            return False
        try:
            if os.fstat(source).st_size != digest.size:
                whole = False
            elif link and not executable and _linked(path, name):
                whole = _hash(source) == digest
            else:
                mode = 0o755 if executable else 0o644
                copy = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode)
                try:
                    os.fchmod(copy, mode)
                    whole = self._copy(source, copy, digest)
                    # Truncate last: some file systems write a file out at once when it is truncated first.
                    os.ftruncate(copy, digest.size)
                finally:
                    os.close(copy)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            whole = False  # the disk cannot read it
        finally:
            os.close(source)
        if not whole:
            _unlink(name)
            self._remove_damaged(path)
        return whole

    def _copy(self, source: int, copy: int, digest: Digest) -> bool:
        """Write the bytes of an open file to another one; True when they are those of the digest."""
        if digest.size < _CHUNK:
            data = _read(source, digest.size)
            write_all(copy, data)
            return _is(data, digest)
        return (_hash(copy) if self._clone(source, copy) else _hash(source, copy)) == digest

    def is_whole(self, digest: Digest) -> bool:
        """True when the blob exists and is intact. Reads its bytes only if it was written to since the last check."""
        path = self.path(digest)
        sys.audit("bskernel.looked", path)
        try:
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size != digest.size:
                return False
            if status.st_mtime_ns == self._generation.stamp_ns:
                return True
            file = open_plain(path)
        except OSError:
            return False
        try:
            whole = _hash(file) == digest
            if whole and os.fstat(file).st_mtime_ns == status.st_mtime_ns:
                self._stamp(file)
        except OSError:  # the disk cannot read it
            whole = False
        finally:
            os.close(file)
        if not whole:
            discard(path)
        return whole

    def path(self, digest: Digest) -> str:
        """The path of the blob, whether or not it exists."""
        return f"{self._folder}/{digest.sha256[:2]}/{digest.sha256}"

    def adopt(self, temporary: str, digest: Digest) -> None:
        """Move a file from `new`, whose digest has been verified, to the blob's path."""
        self._generation.begin_writing()
        self._stamp(temporary)
        move(temporary, self.path(digest))

    def store(self, data: bytes, path: Path) -> None:
        """Write a file of the cache that is no blob, whole or not at all. Raises OSError."""
        self._generation.begin_writing()
        with self.new() as temporary:
            write_new(temporary, data)
            move(temporary, path)

    @contextlib.contextmanager
    def new(self) -> Iterator[str]:
        """A fresh path in `incoming`; the file is removed when the context raises.

        Raises EnvironmentLacking when the disk is full, or refuses a write in the context for other reasons.
        """
        self._count += 1  # not atomic across threads: the thread's id is part of the name too
        temporary = f"{self._incoming}/{threading.get_ident():x}-{self._count}{self._mark}"
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

    def _stamp(self, file: str | int) -> None:
        stamp_ns = self._generation.stamp_ns
        with contextlib.suppress(OSError):  # another user's file
            os.utime(file, ns=(stamp_ns, stamp_ns))

    def _remove_damaged(self, path: str) -> None:
        """Remove a blob whose bytes are wrong. If it counted as intact, no other is believed without being read."""
        with contextlib.suppress(OSError):
            if os.lstat(path).st_mtime_ns == self._generation.stamp_ns:
                self._generation.distrust()
        discard(path)

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


def _read(source: int, size: int) -> bytes:
    """The bytes of a small file; it may be cut short meanwhile."""
    data = b""
    while len(data) < size and (part := os.pread(source, size - len(data), len(data))):
        data += part
    return data


def _is(data: bytes, digest: Digest) -> bool:
    return len(data) == digest.size and hashlib.sha256(data).hexdigest() == digest.sha256


def _hash(source: int, target: int | None = None) -> Digest:
    """The digest of a whole file, whose bytes are also copied to `target`."""
    os.lseek(source, 0, os.SEEK_SET)
    buffer = memoryview(bytearray(min(_CHUNK, os.fstat(source).st_size + 1)))
    hasher, size = hashlib.sha256(), 0
    while count := os.readv(source, [buffer]):
        part = buffer[:count]
        hasher.update(part)
        if target is not None:
            write_all(target, part)
        size += count
    return Digest(sha256=hasher.hexdigest(), size=size)
