"""Walks a folder that a step or a user made: by descriptors, without recursion, within limits."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from bskernel_protocol.plain_file import NotPlainError, kind_of, open_plain

from bskernel.core.visible_text import visible_name
from bskernel.remains.folder import RemainsRefused, open_folder, refused_as
from bskernel.remains.limits import COUNT_VARIABLE, SIZE_VARIABLE, TreeLimits
from bskernel.remains.plain_files import FLAGS

_MOST_LINKS = 40  # that one link may lead through
_BITS = {stat.S_ISUID: "set-user-id", stat.S_ISGID: "set-group-id", stat.S_ISVTX: "sticky"}
_UNLIMITED = 1 << 62
_FEW = 1 << 12  # bytes that a file may be larger than what is allocated, without holes
_NO_FILE = "is a link that does not point to a file; only links to files are allowed"


Known: TypeAlias = Callable[[str], bool]


def _nothing(_: str) -> bool:
    return False


class FoundFile(NamedTuple):
    """A file of a tree, open for reading while the walk is at it."""

    path: str  # relative to the tree
    fd: int | None  # None if its bytes are known
    executable: bool


class _Budget:
    """What is left of a tree's limits."""

    def __init__(self, limits: TreeLimits, name: str) -> None:
        self._limits = limits
        self._name = name
        self._bytes = self._count = self._holes = 0

    def count(self, inside: str, depth: int) -> None:
        limits = self._limits
        self._count += 1
        if self._count > limits.files:
            raise RemainsRefused(
                f"{self._name} has more than {limits.files:,} files and folders ({COUNT_VARIABLE} allows more)"
            )
        if depth > limits.depth:
            raise RemainsRefused(f"{self._name} nests folders more than {limits.depth} deep, at {_short(inside)}")
        if len(os.fsencode(inside)) > limits.path:
            raise RemainsRefused(f"{self._name} has a path of more than {limits.path} bytes: {_short(inside)}")

    def take(self, fd: int | None, status: os.stat_result, inside: str) -> None:
        limits = self._limits
        self._bytes += status.st_size
        if self._bytes > limits.largest:
            raise RemainsRefused(
                f"{self._name} has more than {limits.largest >> 30:,} GiB, at {_short(inside)} "
                f"({SIZE_VARIABLE} allows more)"
            )
        # A file system that compresses allocates less too, so only what looks like holes is measured.
        if fd is not None and status.st_size - 512 * status.st_blocks > _FEW:
            self._holes += _holes(fd, status.st_size)
        if self._holes > limits.holes:
            raise RemainsRefused(
                f"{self._name} has {self._holes >> 30:,} GiB of holes in sparse files, at {_short(inside)}; at most "
                f"{limits.holes >> 30} GiB are copied ({SIZE_VARIABLE} allows a sixteenth of its value)"
            )


def _holes(fd: int, size: int) -> int:
    """Bytes of a file that lie in holes."""
    at = data = 0
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
            end = os.lseek(fd, at, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return 0  # the file system does not tell
            break
        data += end - at
        at = end
    os.lseek(fd, 0, os.SEEK_SET)
    return max(0, size - data)


def open_file(path: str, name: str, limits: TreeLimits, *, dir_fd: int | None = None) -> int:
    """Open a single file that is an output, called `name` in messages; returns its descriptor.

    Raises RemainsRefused.
    """
    budget = _Budget(limits, name)
    fd = _open(dir_fd, path, name)
    try:
        status = os.fstat(fd)
        _check_bits(status.st_mode, name)
        budget.take(fd, status, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def walk(
    root: int, name: str, limits: TreeLimits, *, base: str | None = None, known: Known = _nothing
) -> Iterator[FoundFile]:
    """The files of an open folder, each open while the iteration is at it; folders in order of name.

    Files of which `known` says so, by their path, are not opened. Links to files inside are followed, component by
    component; an absolute one only below `base`, the folder's own path. Raises RemainsRefused for other links,
    special files and bits, names that are no UTF-8, and for what exceeds a limit; its message calls the tree `name`.
    """
    budget = _Budget(limits, name)
    levels = [_OpenFolder(root, "", budget, 1)]
    try:
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                if level.fd != root:
                    os.close(level.fd)
                continue
            entry = level.names.pop()
            inside = f"{level.path}{entry}"
            shown = f"{name}/{visible_name(inside)}"
            found = os.stat(entry, dir_fd=level.fd, follow_symlinks=False)
            mode = found.st_mode
            if not _is_utf8(inside):
                raise RemainsRefused(f"{shown} has a name that is no UTF-8")
            if stat.S_ISDIR(mode):
                _check_bits(mode & ~stat.S_ISGID, shown)  # folders inherit this one
                levels.append(_OpenFolder(open_folder(entry, dir_fd=level.fd), f"{inside}/", budget, len(levels) + 1))
                continue
            if stat.S_ISREG(mode) and known(inside):
                _check_bits(mode, shown)
                budget.take(None, found, inside)
                yield FoundFile(inside, None, bool(mode & stat.S_IXUSR))
                continue
            if stat.S_ISLNK(mode):
                fd = _open_linked(root, inside, shown, base)
            elif stat.S_ISREG(mode):
                fd = _open_seen(level.fd, entry, shown)
            else:
                fd = _open(level.fd, entry, shown)
            try:
                status = os.fstat(fd)
                _check_kind(status.st_mode, shown)
                _check_bits(status.st_mode, shown)
                budget.take(fd, status, inside)
                yield FoundFile(inside, fd, bool(status.st_mode & stat.S_IXUSR))
            finally:
                os.close(fd)
    except FileNotFoundError as error:
        raise RemainsRefused(f"{name} changed while it was read: {visible_name(str(error.filename))}") from error
    finally:
        for level in levels:
            if level.fd != root:
                os.close(level.fd)


class _OpenFolder:
    """A folder of the tree, open, with the names in it that are still to be visited, last first."""

    def __init__(self, fd: int, path: str, budget: _Budget, depth: int) -> None:
        self.fd = fd
        self.path = path  # of the folder, with a slash at its end
        self.names: list[str] = []
        try:
            with os.scandir(fd) as found:
                for entry in found:
                    budget.count(f"{path}{entry.name}", depth)
                    self.names.append(entry.name)
        except BaseException:
            if depth > 1:
                os.close(fd)
            raise
        self.names.sort(reverse=True)


def _open(folder: int | None, entry: str, shown: str) -> int:
    with refused_as(shown):
        return open_plain(entry, _UNLIMITED, dir_fd=folder)


def _open_seen(folder: int, entry: str, shown: str) -> int:
    """Open what was a plain file just now: its kind is to be checked once it is open."""
    with refused_as(shown):
        return os.open(entry, os.O_RDONLY | FLAGS, dir_fd=folder)


def _check_kind(mode: int, shown: str) -> None:
    if not stat.S_ISREG(mode):
        raise RemainsRefused(f"{shown} is {kind_of(mode)}, not a plain file")


def _open_linked(root: int, inside: str, shown: str, base: str | None) -> int:
    """Open the plain file inside the tree that a link leads to, without letting the system follow any link."""
    outside = f"{shown} links to {visible_name(os.readlink(inside, dir_fd=root))}, outside the tree"
    pending, links = inside.split("/")[::-1], 0
    folders = [os.dup(root)]
    try:
        while pending:
            part = pending.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if len(folders) == 1:
                    raise RemainsRefused(outside)
                os.close(folders.pop())
                continue
            target = _link_target(part, folders[-1])
            if target is not None:
                links += 1
                if target.startswith("/"):
                    if base is None or not target.startswith(f"{base}/"):
                        raise RemainsRefused(outside)
                    target = target[len(base) + 1 :]
                    while len(folders) > 1:
                        os.close(folders.pop())
                if links > _MOST_LINKS:
                    raise RemainsRefused(f"{shown} is a link that leads through more than {_MOST_LINKS} links")
                pending += target.split("/")[::-1]
            elif any(later not in {"", "."} for later in pending):
                folders.append(open_folder(part, dir_fd=folders[-1]))
            else:
                return open_plain(part, _UNLIMITED, dir_fd=folders[-1])
        raise RemainsRefused(f"{shown} {_NO_FILE}")
    except (NotPlainError, OSError) as error:
        raise RemainsRefused(f"{shown} {_NO_FILE}") from error
    finally:
        for folder in folders:
            os.close(folder)


def _link_target(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return None


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_bits(mode: int, shown: str) -> None:
    for bit, word in _BITS.items():
        if mode & bit:
            raise RemainsRefused(f"{shown} has the {word} bit set")


def _short(path: str) -> str:
    shown = visible_name(path)
    return shown if len(shown) <= 120 else f"{shown[:80]}...{shown[-30:]}"
