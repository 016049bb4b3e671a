"""The folder that a build or a sweep writes to: made without following links, and never one that no build made.

A project can hold anything under any name, links too. So a folder that is written to is first seen to be no link, and
a file is replaced, never opened and cut. The lock file also marks the folder: it is made in an empty folder alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TextIO

from bskernel.core.errors import ConfigError
from bskernel.remains.plain_files import FLAGS, open_plain, read_plain

MARK = ".bskernel-output"
IGNORE = ".gitignore"
_FOLDERS = ("steps", "artifacts", "artifacts.new", "artifacts.old", "points")  # of builds and sweeps
KEPT = "kept"  # what somebody else put in the place of what a build writes
_MOST_KEPT = 100
_ELSEWHERE = "choose another folder with --output"


def make_output_folder(path: Path, below: Path | None) -> None:
    """Make an output folder. `below` is the project's folder if the project chose `path`, which is in it.

    Raises ConfigError when a part of the path below that folder, or a folder of a build in `path`, is a link.
    """
    if below is None and _is_made(path):
        _ignore_in_git(path)
        return
    parts = [part for part in reversed([path, *path.parents]) if below is None or part.is_relative_to(below)]
    made = next((part for part in parts if not os.path.lexists(part) or _is_just_made(part, below)), None)
    if below is None:
        path.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if below not in {None, part}:
            _make_real_folder(part)
        if part == made:  # before the folders in it: a build that is killed in between leaves an empty folder
            _ignore_in_git(part)
    inner = [path / name for name in _FOLDERS]
    for folder in ("steps", "points"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not (path / folder).is_symlink():
                inner += (path / folder).iterdir()
    for one in inner:
        if one.is_symlink():
            raise _no_folder(one)


def _is_made(path: Path) -> bool:
    """Make a folder in one that exists; False when it is there, or that one is not."""
    try:
        path.mkdir()
    except OSError:
        return False
    return True


def is_fresh(path: Path) -> bool:
    """True when an output folder holds its mark alone, and what keeps it out of git."""
    with os.scandir(path) as found:
        return all(entry.name in {MARK, IGNORE} for entry in found)


def _is_just_made(part: Path, below: Path | None) -> bool:
    """True for an empty folder of the project's outputs: git knows no such folders, so only a build has made it."""
    return below not in {None, part} and part.is_dir() and not part.is_symlink() and not any(part.iterdir())


def _ignore_in_git(folder: Path) -> None:
    """Keep a folder that was made for builds out of the user's repository, unless one above does. Raises OSError.

    A folder that was there is the user's: whoever wants it in the repository removes the file, which stays removed.
    """
    for parent in folder.parents:
        if (parent / MARK).exists() or b"*" in (read_plain(parent / IGNORE, 1 << 16) or b"").split():
            return
    with contextlib.suppress(FileExistsError):
        file = os.open(folder / IGNORE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o666)
        with os.fdopen(file, "wb") as opened:
            opened.write(b"*\n")


def _make_real_folder(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        return
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise _no_folder(path)


def _no_folder(path: Path) -> ConfigError:
    kind = f"a link to {path.readlink()}" if path.is_symlink() else "no folder"
    return ConfigError(f"{path} is {kind}: a build writes into real folders only", hint=f"remove it, or {_ELSEWHERE}")


def open_mark(path: Path) -> TextIO:
    """The lock file of an output folder. Raises ConfigError for a folder with files that no build made; OSError."""
    mark = path / MARK
    try:
        file = os.open(mark, os.O_RDWR | FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{mark} is a link", hint=f"remove it, or {_ELSEWHERE}") from None
        if error.errno != errno.ENOENT:
            raise
        held = sorted(one.name for one in path.iterdir() if one.name not in {MARK, IGNORE})
        if held:  # another build may have made the mark just now
            shown = ", ".join(held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else "")
            raise ConfigError(
                f"{path} holds files that no build made: {shown}",
                hint=f"a build replaces what is in its folder: {_ELSEWHERE}, which is empty or not there yet",
            ) from None
        file = os.open(mark, os.O_RDWR | os.O_CREAT | FLAGS, 0o666)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ConfigError(f"{mark} is not a plain file", hint=f"remove it, or {_ELSEWHERE}")
    return os.fdopen(file, "r+")


def create_text(path: Path) -> TextIO:
    """A new text file, written line by line, in place of a file or a link at its path. Raises OSError."""
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o666)
    return os.fdopen(file, "w", buffering=1, encoding="utf-8", newline="")


def read_plain_file(path: Path, base: Path, most: int | None = None) -> bytes | None:
    """The last `most` bytes of a plain file below `base`; None for none, and where the file or a folder is a link."""
    if any(part.is_symlink() for part in path.parents if part != base and part.is_relative_to(base)):
        return None
    try:
        file = open_plain(path)
    except (OSError, ValueError):
        return None
    with os.fdopen(file, "rb") as opened:
        if most is not None and os.fstat(file).st_size > most:
            opened.seek(-most, os.SEEK_END)
        return opened.read()


def keep_unknown_files(old: Path, known: Collection[str], place_of: Callable[[str], Path], kept: Path) -> None:
    """Move what no build wrote out of the folder `old`, which is about to be removed.

    `known` are the paths of the files that a build wrote; `place_of` says where any other one goes. Where something
    is there already, it goes to the folder `kept`. Raises OSError.
    """
    for path in list(files_below(old)):
        name = path.relative_to(old).as_posix()
        if name not in known and not _moved(path, place_of(name)):
            set_aside(path, kept / name)


def set_aside(path: Path, kept: Path) -> None:
    """Move what somebody else put where a build writes to `kept`, or beside it if that is taken. Raises OSError.

    Files, and folders with anything in them, are somebody's; links, FIFOs and empty folders hold nothing.
    """
    mode = os.lstat(path).st_mode
    if not stat.S_ISREG(mode) and not (stat.S_ISDIR(mode) and any(path.iterdir())):
        return
    names = [kept, *(kept.with_name(f"{kept.name}.{number}") for number in range(1, _MOST_KEPT))]
    if not any(_moved(path, target) for target in names):
        folder = next(parent for parent in kept.parents if parent.is_dir())
        path.rename(folder / f"{kept.name}.{os.urandom(8).hex()}")


def clear_for_file(path: Path, kept: Path) -> None:
    """Set aside a folder in the place of a file that a build writes. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        set_aside(path, kept)


def clear_for_folder(path: Path, kept: Path) -> None:
    """Set aside a file in the place of a folder that a build writes. Raises OSError."""
    if path.is_file() and not path.is_symlink():
        set_aside(path, kept)


def _moved(path: Path, target: Path) -> bool:
    """Move a file or folder to a path that is free; False if it is not."""
    if os.path.lexists(target):
        return False
    with contextlib.suppress(FileExistsError, NotADirectoryError):  # a file is in the way
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        return True
    return False


def files_below(folder: Path) -> Iterator[Path]:
    """All that is no folder below a folder, links too. Follows none."""
    if folder.is_symlink():
        return
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in (*names, *links))
