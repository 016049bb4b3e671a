"""Opens files that another process may have put there: never through a link, never waiting, only plain files.

A step can leave anything in its directory: a link to a file of the host, a FIFO that hangs its reader, terabytes.
"""

from __future__ import annotations

import contextlib
import os
import stat

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFREG: "a plain file",
}


class NotPlainError(Exception):
    """What lies there is no plain file, or is larger than allowed; the text says which, without a name."""


def kind_of(mode: int) -> str:
    """What a mode's file is, in words, e.g. "a FIFO"."""
    return _KINDS.get(stat.S_IFMT(mode), "a special file")


def open_plain(name: str, largest: int, *, dir_fd: int | None = None) -> int:
    """Open a plain file of at most `largest` bytes for reading; returns its descriptor.

    Raises NotPlainError, and OSError when it is missing or may not be read.
    """
    _check(os.stat(name, dir_fd=dir_fd, follow_symlinks=False), largest)
    fd = os.open(name, _READ, dir_fd=dir_fd)
    try:
        _check(os.fstat(fd), largest)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check(status: os.stat_result, largest: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotPlainError(f"is {kind_of(status.st_mode)}, not a plain file")
    if status.st_size > largest:
        raise NotPlainError(f"has {status.st_size:,} bytes, more than the {largest:,} allowed")


def read_plain(name: str, largest: int, *, dir_fd: int | None = None) -> bytes:
    """The bytes of a plain file of at most `largest` bytes. Raises as `open_plain` does."""
    fd = open_plain(name, largest, dir_fd=dir_fd)
    try:
        # To ask for the most that it may have makes room for that, whatever it has.
        size = os.fstat(fd).st_size
        data = os.read(fd, size + 1)
        if len(data) != size:  # somebody writes to it, or it is too large for one call
            while len(data) <= largest and (grown := os.read(fd, largest + 1 - len(data))):
                data += grown
    finally:
        os.close(fd)
    if len(data) > largest:
        raise NotPlainError(f"has more than the {largest:,} bytes allowed")
    return data


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all bytes to an open file or pipe. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def create_plain(name: str, *, dir_fd: int | None = None) -> int:
    """Create a file for writing, in place of what lies there; returns its descriptor. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=dir_fd)
    return os.open(name, _CREATE, 0o600, dir_fd=dir_fd)
