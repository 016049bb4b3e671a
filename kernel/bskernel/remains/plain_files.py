"""Opens, reads and replaces files of the kernel's own, also where links, folders or FIFOs are in their places."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from bskernel_protocol.plain_file import write_all

from bskernel.remains.removal import remove

FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY  # follow no link, wait for no FIFO
READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})  # what refuses to write where reading is allowed
_IN_THE_WAY = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP, errno.ENXIO}


def open_plain(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a plain file. Raises OSError, also for anything else that is there."""
    file = os.open(path, flags | FLAGS, 0o666)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise OSError(errno.EEXIST, "not a plain file", str(path))


def read_plain(path: str | Path, limit: int) -> bytes | None:
    """The bytes of a plain file of at most `limit` bytes; None for anything else."""
    try:
        file = open_plain(path)
    except (OSError, ValueError):
        return None
    try:
        size = os.fstat(file).st_size
        if size > limit:
            return None
        # Python's own files ask the system three more questions; a step's end reads a dozen.
        data = os.read(file, size + 1)
        if len(data) != size:  # somebody writes to it, or it is too large for one call
            while len(data) <= limit and (more := os.read(file, limit + 1 - len(data))):
                data += more
    except OSError:
        return None
    finally:
        os.close(file)
    return data if len(data) <= limit else None


def write_new(path: str | Path, data: bytes) -> None:
    """Write a file that must not exist. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o666)
    try:
        write_all(file, data)
    finally:
        os.close(file)


def open_lock(path: Path, *, writable: bool = False) -> int:
    """A descriptor of a lock file, made if need be; unless `writable`, read-only where it cannot be written to.

    What is no plain file is moved out of the way. Raises OSError.
    """
    try:
        return open_plain(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        if error.errno in READ_ONLY and not writable:
            with contextlib.suppress(FileNotFoundError):
                return open_plain(path)
        if error.errno not in _IN_THE_WAY:
            raise
    discard(path)
    return open_plain(path, os.O_RDWR | os.O_CREAT)


def make_folder(folder: str | Path) -> None:
    """Make a folder; what is there and is no folder is removed. Raises OSError."""
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        if os.path.isdir(folder):
            return
        discard(folder)
        os.makedirs(folder, exist_ok=True)


def move(temporary: str | Path, target: str | Path) -> None:
    """Rename a file onto `target`, over whatever is there; makes the folder of `target`. Raises OSError."""
    try:
        os.replace(temporary, target)
    except OSError as error:
        if error.errno not in {errno.ENOENT, *_IN_THE_WAY}:
            raise
        make_folder(os.path.dirname(target))
        if os.path.isdir(target) and not os.path.islink(target):
            discard(target)
        os.replace(temporary, target)


def discard(path: str | Path) -> None:
    """Remove what is at a path, also a folder with all its content; what cannot be removed stays."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        remove(path)
