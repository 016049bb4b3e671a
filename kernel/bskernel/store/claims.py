"""Claims on actions: who holds one carries the action out, in whatever process; all others wait or look again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from bskernel_protocol import Digest

# struct flock: type, whence, start, length, pid
_FLOCK = "hhqqi"


def _lock(fd: int, kind: int, offset: int) -> None:
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, offset, 1, 0))


class Claims:
    """One empty file; a claim locks the byte whose number is the beginning of the action's key.

    The lock is that of an open file: it ends with the process that holds it, however that ends, nothing is left to be
    swept, and threads of one process exclude one another too. Two keys with one beginning merely wait for each other.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def attempt(self, key: Digest) -> Iterator[bool]:
        """Claim the action for the time of the context; False when somebody else holds it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                _lock(fd, fcntl.F_WRLCK, int(key.sha256[:15], 16))
            except (BlockingIOError, PermissionError):
                yield False
            else:
                yield True
        finally:
            os.close(fd)
