"""Folders of steps that are over, emptied and used again: on some file systems, to make and remove them costs more
than a step. ext4 waits for the disk where it must tell it of freed blocks, and without a journal it looks for inodes
that nobody removed lately, among all that somebody did.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

_SPARE = ".spare-"
_LARGEST = 1 << 16  # bytes of a folder's own entries: one that has held many stays slow

# What stays of a folder: folders with what stays in them, links (str) with where they go, and files (None), which are
# to be overwritten: they keep what they held.
Layout: TypeAlias = Mapping[str, "Layout | str | None"]


def take(root: Path, label: str) -> str | None:
    """Make a spare folder under `root` the one called `label`; the name it was given back by, None without one."""
    spares = [name for name in os.listdir(root) if name.startswith(_SPARE)] if root.is_dir() else []
    for spare in spares:
        with contextlib.suppress(FileNotFoundError):  # another thread has taken it
            os.rename(root / spare, root / label)
            return spare.removeprefix(_SPARE)
    return None


def recycle(folder: Path, name: str, layout: Layout) -> None:
    """Empty a folder for another step; one that is not as it was is removed. Nothing may run in it any more."""
    if reset_dir(folder, layout):
        folder.rename(folder.with_name(_SPARE + name))
    else:
        remove(folder)


def reset_dir(folder: Path, layout: Layout) -> bool:
    """Remove all but the layout; False when that is not as it was made. Files and folders in it may be gone."""
    try:
        return _is_plain(os.lstat(folder), stat.S_IFDIR) and _emptied(str(folder), layout)
    except OSError:
        return False


def _is_plain(found: os.stat_result, kind: int) -> bool:
    if kind == stat.S_IFDIR:
        usable, sound = 0o700, found.st_size <= _LARGEST
    else:
        usable, sound = 0o600, found.st_nlink == 1
    return sound and stat.S_IFMT(found.st_mode) == kind and found.st_mode & (0o7000 | usable) == usable


def _emptied(folder: str, layout: Layout) -> bool:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        stays = layout.get(entry.name, False)
        if isinstance(stays, str):
            if not entry.is_symlink() or os.readlink(entry.path) != stays:
                return False
        elif isinstance(stays, Mapping):
            if not _is_plain(entry.stat(follow_symlinks=False), stat.S_IFDIR) or not _emptied(entry.path, stays):
                return False
        elif stays is False or not _is_plain(entry.stat(follow_symlinks=False), stat.S_IFREG):
            remove(Path(entry.path))
    return True


def remove(folder: Path) -> None:
    """Remove a file, or a folder with whatever modes it has inside."""
    import shutil

    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    for inner, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(inner, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def overwrite(path: Path, data: bytes) -> None:
    """Write a file, into the one that is there: emptied first, some file systems would write it out at once."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    with os.fdopen(file, "wb", buffering=0) as stream:
        stream.write(data)
        stream.truncate()
