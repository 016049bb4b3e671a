"""Folders of steps, opened and listed through descriptors: no component of a path is ever followed as a link."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bskernel_protocol.plain_file import NotPlainError, kind_of, open_plain, read_plain

from bskernel.core.visible_text import visible_name

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_NAMES = 10_000
_ANY_SIZE = 1 << 62

# Beside a session's folder of step directories: what its steps cannot reach, whatever they are given of the session.
ASIDE = "aside"


class RemainsRefused(Exception):  # noqa: N818 - reported as a failure of the step
    """Something that a step left is not what may be there. The message names it, with escapes."""


@contextlib.contextmanager
def opened_folder(path: str | Path, *, dir_fd: int | None = None) -> Iterator[int]:
    """A folder's descriptor during the context; `path` may be a name in the folder `dir_fd`.

    Its last component may be no link. Raises RemainsRefused, and FileNotFoundError.
    """
    fd = open_folder(path, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def open_folder(path: str | Path, *, dir_fd: int | None = None) -> int:
    """As `opened_folder`; the caller closes the descriptor."""
    try:
        return os.open(path, _FOLDER, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        name = visible_name(os.path.basename(path))
        with contextlib.suppress(OSError):
            mode = os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode
            if kind_of(mode) != "a folder":
                raise RemainsRefused(f"{name} is {kind_of(mode)}, not a folder") from error
        raise RemainsRefused(f"{name} cannot be opened: {error.strerror}") from error


@contextlib.contextmanager
def refused_as(shown: str) -> Iterator[None]:
    """Raise RemainsRefused, by the name `shown`, for a file that may not be read; FileNotFoundError stays."""
    try:
        yield
    except NotPlainError as error:
        raise RemainsRefused(f"{shown} {error}") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RemainsRefused(f"{shown} cannot be read: {error.strerror}") from error


def read_file(folder: int, name: str, largest: int) -> bytes:
    """The bytes of a file in an open folder. Raises RemainsRefused, and FileNotFoundError."""
    with refused_as(visible_name(name)):
        return read_plain(name, largest, dir_fd=folder)


def read_end(path: Path, largest: int) -> bytes:
    """The last `largest` bytes of a plain file; empty if there is none."""
    try:
        fd = open_plain(str(path), _ANY_SIZE)
    except (OSError, NotPlainError):
        return b""
    with os.fdopen(fd, "rb") as file:
        file.seek(max(0, os.fstat(fd).st_size - largest))
        return file.read(largest)


def names_in(folder: int) -> list[str]:
    """The names in an open folder, sorted; of very many, only the first ten thousand that are found."""
    names = []
    with os.scandir(folder) as found:
        for entry in found:
            names.append(entry.name)
            if len(names) == _MOST_NAMES:
                break
    return sorted(names)
