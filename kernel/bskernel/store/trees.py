"""What a folder holds, as a listing: each file read once, links inside it followed, anything else refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from bskernel_protocol import Digest, TreeFile, TreeListing

from bskernel.core.interfaces import OutputViolation


def list_tree(root: Path, name: str, take: Callable[[Path], Digest]) -> TreeListing:
    """The listing of a folder whose files are given to `take`.

    Raises OutputViolation for links out of it or to no file, special files and names that no listing can hold.
    """
    files = sorted(_files(root, "", name, take), key=lambda file: file.path)
    return TreeListing(files=tuple(files))


def _files(root: Path, folder: str, name: str, take: Callable[[Path], Digest]) -> Iterator[TreeFile]:
    with os.scandir(root / folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        inside = f"{folder}{entry.name}"
        if entry.is_symlink():
            _check_link(root, inside, name)
        if entry.is_dir():
            yield from _files(root, f"{inside}/", name, take)
            continue
        mode = entry.stat().st_mode
        if not stat.S_ISREG(mode):
            raise OutputViolation(f"{name}/{inside} is a special file")
        try:
            yield TreeFile(path=inside, digest=take(Path(entry.path)), executable=bool(mode & stat.S_IXUSR))
        except ValueError as error:
            raise OutputViolation(f"{name}: {error}") from error


def _check_link(root: Path, inside: str, name: str) -> None:
    path = root / inside
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        raise OutputViolation(f"{name}/{inside} links to {path.readlink()}, outside the tree")
    if not real.is_file():
        raise OutputViolation(f"{name}/{inside} links to no file: only links to files of the tree are kept")
