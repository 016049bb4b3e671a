"""Folders of ended steps, emptied and used again.

On some file systems making and removing folders costs more than a step: ext4 waits for the disk when it discards
freed blocks, and without a journal it searches for inodes that were not freed recently.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bskernel_protocol import digest_of_bytes
from bskernel_protocol.plain_file import write_all

from bskernel.remains.folder import RemainsRefused, opened_folder
from bskernel.remains.removal import remove

_SPARE = ".spare-"
_LARGEST = 1 << 16  # bytes of a folder's entry list: a folder that has held many entries stays slow
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# What stays in a folder: folders with what stays in them, links (str) with their targets, and files (None), whose
# content stays until they are overwritten.
Layout: TypeAlias = Mapping[str, "Layout | str | None"]


class Spare(NamedTuple):
    """An emptied folder that has been taken."""

    name: str  # that it was recycled under
    seal: str  # of its state then


def take(root: Path, label: str) -> Spare | None:
    """Rename a spare folder under `root` to `label`; None without a spare. What it is like now is not known."""
    spares = [name for name in os.listdir(root) if name.startswith(_SPARE)] if root.is_dir() else []
    for spare in spares:
        with contextlib.suppress(FileNotFoundError):  # another thread has taken it
            os.rename(root / spare, root / label)
            name, _, seal = spare.removeprefix(_SPARE).rpartition("-")
            return Spare(name, seal)
    return None


def recycle(folder: Path, name: str, layout: Layout) -> None:
    """Empty a folder for another step, or remove it if it was tampered with. Nothing may run in it any more."""
    if reset_dir(folder, layout):
        folder.rename(folder.with_name(f"{_SPARE}{name}-{_seal(folder, layout)}"))
    else:
        remove(folder)


def is_as_left(folder: Path, layout: Layout, spare: Spare) -> bool:
    """Whether a taken folder is as it was recycled, by its seal: in a fraction of the time of `reset_dir`."""
    return bool(spare.seal) and _seal(folder, layout) == spare.seal


def _seal(folder: Path, layout: Layout) -> str:
    """A digest of the state of a folder and of what stays in it; "" if that cannot be told.

    Whoever adds, removes or replaces something changes a time of the folder that it is in: below `folder` one that
    nobody can set back, of `folder` itself the time of its entries, since renaming it changes the other. A change
    within the same tick of the system's clock is not noticed; nothing of a step runs any more then.
    """
    try:
        own = os.lstat(folder)
        states = (own.st_ino, own.st_mode, own.st_mtime_ns, *_states(str(folder), layout))
    except OSError:
        return ""
    return digest_of_bytes(repr(states).encode()).sha256[:16]


def _states(folder: str, layout: Layout) -> Iterator[object]:
    for name, kept in layout.items():
        path = f"{folder}/{name}"
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            yield None
            continue
        yield status.st_ino, status.st_mode, status.st_nlink, status.st_ctime_ns
        if isinstance(kept, Mapping):
            yield from _states(path, kept)


def reset_dir(folder: Path, layout: Layout) -> bool:
    """Remove everything but the layout; False when the layout itself was altered."""
    try:
        with opened_folder(folder) as opened:
            return _is_plain(os.fstat(opened), stat.S_IFDIR) and _reset(opened, layout)
    except (OSError, RemainsRefused):
        return False


def _is_plain(found: os.stat_result, kind: int) -> bool:
    if kind == stat.S_IFDIR:
        usable, sound = 0o700, found.st_size <= _LARGEST
    else:
        usable, sound = 0o600, found.st_nlink == 1
    return sound and stat.S_IFMT(found.st_mode) == kind and found.st_mode & (0o7000 | usable) == usable


def _reset(folder: int, layout: Layout) -> bool:
    with os.scandir(folder) as found:
        names = [entry.name for entry in found]
    for name in names:
        kept = layout.get(name, False)
        if kept is False:
            if not remove(name, dir_fd=folder):
                return False
            continue
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if isinstance(kept, str):
            if not stat.S_ISLNK(status.st_mode) or os.readlink(name, dir_fd=folder) != kept:
                return False
        elif isinstance(kept, Mapping):
            if not _is_plain(status, stat.S_IFDIR):
                return False
            with opened_folder(name, dir_fd=folder) as inner:
                if not _reset(inner, kept):
                    return False
        elif not _is_plain(status, stat.S_IFREG) and not remove(name, dir_fd=folder):
            return False
    return True


def overwrite(path: Path, data: bytes) -> None:
    """Overwrite a file in place. Truncating it first would make some file systems write it out at once."""
    file = os.open(path, _WRITE, 0o600)
    try:
        write_all(file, data)
        os.ftruncate(file, len(data))
    finally:
        os.close(file)
