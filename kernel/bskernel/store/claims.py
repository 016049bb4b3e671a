"""Claims on actions: one process or thread runs a claimed action, all others wait for its result."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from bskernel_protocol import Digest

from bskernel.core.interfaces import Claimant
from bskernel.core.places import cache_place, within
from bskernel.host.lock_holder import find_holder
from bskernel.remains.plain_files import open_lock

# struct flock: type, whence, start, length, pid
_FLOCK = "hhqqi"


def _lock(fd: int, kind: int, offset: int) -> None:
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, offset, 1, 0))


def _offset(key: Digest) -> int:
    return int(key.sha256[:15], 16)


class Claims:
    """An empty file; a claim locks the byte at the offset given by the first digits of the action's key.

    These are open file description locks: they end with the process however it ends, leave nothing to clean up, and
    exclude threads of one process too. Two keys with the same first digits merely wait for each other.
    """

    def __init__(self, path: Path) -> None:
        """`path` is a file in the folder of a cache."""
        self._path = path
        self._place = cache_place(path.parent)

    def claimant(self, key: Digest) -> Claimant | None:
        """The process that has claimed the action; None when it has ended, is another user's, or is this one."""
        holder = find_holder(self._path, _offset(key))
        return None if holder is None else Claimant(what=str(holder), stopped=holder.stopped)

    @contextlib.contextmanager
    def attempt(self, key: Digest) -> Iterator[bool]:
        """Claim the action during the context; yields False when another process or thread has claimed it."""
        with within(self._place):
            fd = open_lock(self._path, writable=True)  # an exclusive lock of bytes needs it
        try:
            try:
                _lock(fd, fcntl.F_WRLCK, _offset(key))
            except (BlockingIOError, PermissionError):
                yield False
            else:
                yield True
        finally:
            os.close(fd)
