"""Files of the cache opened without waiting: a FIFO, a device or a socket in their place is an error, not a hang."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NoPlainFileError(OSError):
    """Something else than a plain file lies at the path."""


def open_plain(path: Path | str, flags: int, mode: int = 0o666) -> int:
    """`os.open` for a plain file; never waits for a reader or writer. Raises OSError, NoPlainFileError."""
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if os.path.lexists(path) and not Path(path).is_file():
            raise _refusal(path) from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _refusal(path)
    return fd


def read_plain(path: Path | str, limit: int = 1 << 24) -> bytes:
    """At most the first `limit` bytes of a plain file. Raises OSError, NoPlainFileError."""
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        return file.read(limit)


def _refusal(path: Path | str) -> NoPlainFileError:
    error = NoPlainFileError(f"{path} is not a plain file: move it away")
    error.strerror, error.filename = f"{path} is not a plain file: move it away", str(path)
    return error
