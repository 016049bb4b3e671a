"""Places of this machine that are full, read-only, foreign or out of reach, and limits that are used up. Pure."""

from __future__ import annotations

import contextlib
import errno
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from bskernel.core.errors import EnvironmentLacking


class Place(NamedTuple):
    """A folder that bskernel writes to: what it is, where it is, and how to have another one."""

    name: str
    path: str
    advice: str


_OTHERS = "another user's, or its mode forbids it"
# What the system says -> what is wrong with the place, and what to do.
_OF_PLACES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        errno.ENOSPC: ("is full", "free space there"),
        errno.EDQUOT: ("is full: the user's quota is used up", "free space there, or ask for more"),
        errno.EFBIG: ("takes no file of that size", "raise the limit with `ulimit -f unlimited`"),
        errno.EROFS: ("is read-only", "mount it writable"),
        errno.EACCES: (f"cannot be used: it is {_OTHERS}", "change its owner or mode"),
        errno.EPERM: (f"cannot be used: it is {_OTHERS}", "change its owner or mode"),
        errno.EIO: ("has a fault: the disk reports an error", "look into the system log"),
        errno.ESTALE: ("is gone: the server that holds it has changed", "mount it again"),
        errno.ENOTCONN: ("does not answer: its file system is no longer connected", "mount it again"),
        errno.EHOSTDOWN: ("does not answer: the server that holds it is down", "mount it again"),
        errno.ETIMEDOUT: ("does not answer: the server that holds it is down", "mount it again"),
        errno.ENODEV: ("is gone: its device was removed", "mount it again"),
        errno.ENXIO: ("is gone: its device was removed", "mount it again"),
        errno.ENAMETOOLONG: ("takes no name of that length", "choose a shorter name"),
        errno.ELOOP: ("is a loop of links", "remove the link"),
        errno.ENOLCK: ("cannot lock files", "mount it with locks"),
        errno.EMLINK: ("takes no more links or folders", "free space there"),
    }
)
_OF_PROCESSES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        errno.EMFILE: ("too few files may be open at once", "raise the limit, e.g. `ulimit -n 1024`"),
        errno.ENFILE: ("the machine has too many files open", "end other programs, or raise fs.file-max"),
        errno.EAGAIN: (
            "too few processes and threads may run at once",
            "raise the limit (`ulimit -u`, or pids of the container), or run fewer steps at once (--jobs)",
        ),
        errno.ENOMEM: ("not enough memory", "raise the limit (`ulimit -v`), or end other programs"),
    }
)
# Only in a folder of bskernel's own: elsewhere they are defects.
_CHANGED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EBADF})
_OF_DISKS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE})
_ERRNO = re.compile(r"\[Errno (\d+)\]")
OUT_OF_MEMORY = _OF_PROCESSES[errno.ENOMEM]
OUT_OF_THREADS = _OF_PROCESSES[errno.EAGAIN]


def cache_place(path: object) -> Place:
    """The cache."""
    return Place("the cache", str(path), "or set BSKERNEL_CACHE to another folder")


def build_place(path: object) -> Place:
    """A build's directory, or a sweep's."""
    return Place("the build directory", str(path), "or choose another folder with --output")


def place_lacking(error: OSError, *places: Place) -> EnvironmentLacking | None:
    """The error in the user's words, naming the place; None if it is no matter of places or limits.

    An error without a path counts as one of the first place.
    """
    number = error.errno or 0
    if number in _OF_PROCESSES:
        what, hint = _OF_PROCESSES[number]
        return EnvironmentLacking(f"{what}: {_said(error)}", hint=hint)
    file = _path_of(error)
    place = _place_of(file, places)
    if number in _OF_PLACES:
        what, hint = _OF_PLACES[number]
        if place is None:
            return EnvironmentLacking(f"{file or 'a file system'} {what}: {error.strerror}", hint=hint)
        return EnvironmentLacking(f"{place.name} {place.path} {what}: {_said(error)}", hint=f"{hint}, {place.advice}")
    if number in _CHANGED and place is not None and file is not None:
        return EnvironmentLacking(
            f"{place.name} {place.path} is not as bskernel left it: {_said(error)}",
            hint=f"something else may have changed it: run the command again, {place.advice}",
        )
    return None


def lack_in(lines: Iterable[str]) -> tuple[str, str] | None:
    """What a Python program lacked when it ended, by its last lines, and what to do; None if nothing."""
    numbers = [int(match[1]) for line in lines if (match := _ERRNO.search(line))]
    last = numbers[-1] if numbers else 0
    if last in _OF_PROCESSES:
        return _OF_PROCESSES[last]
    if last in _OF_DISKS:
        what, hint = _OF_PLACES[last]
        return f"a disk {what}", hint
    return None


@contextlib.contextmanager
def within(*places: Place) -> Iterator[None]:
    """Raise EnvironmentLacking, naming the place, for what the system refuses in the context."""
    try:
        yield
    except OSError as error:
        lacking = place_lacking(error, *places)
        if lacking is None:
            raise
        raise lacking from error


def _said(error: OSError) -> str:
    file = _path_of(error)
    return f"{error.strerror}: {file}" if file is not None else str(error.strerror or error)


def _path_of(error: OSError) -> str | None:
    name = error.filename2 if error.filename2 is not None and error.errno == errno.ENOSPC else error.filename
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    return None if name is None or isinstance(name, int) else str(name)


def _place_of(file: str | None, places: tuple[Place, ...]) -> Place | None:
    if file is None:
        return places[0] if places else None
    return next((place for place in places if _is_inside(file, place.path)), None)


def _is_inside(file: str, folder: str) -> bool:
    path, root = posixpath.normpath(file), posixpath.normpath(folder)
    return path == root or path.startswith(root.rstrip("/") + "/")
