"""Removes files and folders at any depth, of any modes and names, without following links.

Paths may be longer than any path may be, and folders nest deeper than descriptors suffice: what lies deep is first
moved up.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEP = 16  # below, folders are moved to the top before they are emptied
_ROUNDS = 8  # a listing may miss what was there while files were removed
_MISSING = (FileNotFoundError, NotADirectoryError)


def remove(path: str | Path, *, dir_fd: int | None = None) -> bool:
    """Remove a file, link or folder with all that is in it; False when something cannot be removed.

    `path` may be a name in the open folder `dir_fd`.
    """
    if dir_fd is not None:
        return _remove_entry(dir_fd, str(path))
    path = os.path.abspath(path)
    try:
        parent = os.open(os.path.dirname(path), _HANDLE & ~os.O_NOFOLLOW)
    except _MISSING:
        return True
    try:
        return _remove_entry(parent, os.path.basename(path))
    finally:
        os.close(parent)


def empty(path: str | Path) -> bool:
    """Remove all that is in a folder, which stays; False when something cannot be removed."""
    path = os.path.abspath(path)
    try:
        parent = os.open(os.path.dirname(path), _HANDLE & ~os.O_NOFOLLOW)
    except _MISSING:
        return True
    try:
        fd = _open_any(parent, os.path.basename(path))
        if fd is None:
            return not _exists(parent, os.path.basename(path))
        try:
            return _empty(fd)
        finally:
            os.close(fd)
    finally:
        os.close(parent)


def _remove_entry(parent: int, name: str) -> bool:
    try:
        os.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        return _remove_folder(parent, name)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove_folder(parent: int, name: str) -> bool:
    fd = _open_any(parent, name)
    if fd is None:
        return not _exists(parent, name)
    try:
        # Once mostly suffices, and removing the folder says whether it did.
        _empty_once(fd)
        if _is_removed(parent, name):
            return True
        _empty(fd)
    finally:
        os.close(fd)
    return _is_removed(parent, name)


def _is_removed(parent: int, name: str) -> bool:
    """Remove an empty folder; False when it is there still, whatever it is now."""
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _exists(parent: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _open_any(parent: int, name: str) -> int | None:
    """Open a folder whatever its mode; None when it is gone or belongs to somebody else."""
    with contextlib.suppress(OSError):
        fd = os.open(name, _FOLDER, dir_fd=parent)
        if os.fstat(fd).st_mode & stat.S_IRWXU == stat.S_IRWXU:
            return fd
        os.close(fd)
    try:
        handle = os.open(name, _HANDLE, dir_fd=parent)
    except OSError:
        return None
    try:
        here = f"/proc/self/fd/{handle}"
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(here, stat.S_IRWXU)
        return os.open(here, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    finally:
        os.close(handle)


class _Level:
    """A folder that is being emptied: its descriptor, and the folders still in it. Its files are removed at once."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.inner: list[str] = []
        self.removed = 0
        with os.scandir(fd) as found:
            for entry in found:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        self.inner.append(entry.name)
                    else:
                        os.unlink(entry.name, dir_fd=fd)
                        self.removed += 1
                except OSError:  # it counts as left
                    continue


def _empty(top: int) -> bool:
    """Empty an open folder; False when something is left."""
    for _ in range(_ROUNDS):
        removed = _empty_once(top)
        with os.scandir(top) as found:
            if next(found, None) is None:
                return True
        if not removed:
            break
    return False


def _empty_once(top: int) -> int:
    """Empty a folder as far as that goes; returns how much was removed from it or its folders."""
    mark, removed, moved = "", 0, 0
    # Each level with the name that it has in the level above.
    levels: list[tuple[str, _Level]] = [("", _Level(top))]
    try:
        while True:
            name, level = levels[-1]
            if level.inner:
                inner = level.inner.pop()
                fd = _open_any(level.fd, inner)
                if fd is not None and len(levels) < _DEEP:
                    levels.append((inner, _Level(fd)))
                elif fd is not None:
                    os.close(fd)
                    mark = mark or f".removed-{os.urandom(8).hex()}-"
                    with contextlib.suppress(OSError):
                        os.rename(inner, f"{mark}{moved}", src_dir_fd=level.fd, dst_dir_fd=top)
                        levels[0][1].inner.append(f"{mark}{moved}")
                        moved += 1
                continue
            removed += level.removed
            if len(levels) == 1:
                return removed
            levels.pop()
            os.close(level.fd)
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=levels[-1][1].fd)
                removed += 1
    finally:
        for _, level in levels[1:]:
            os.close(level.fd)
