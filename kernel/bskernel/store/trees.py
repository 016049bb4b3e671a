"""Lists a folder: reads each file once, follows links inside the folder, and refuses anything else."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from bskernel_protocol import Digest, TreeFile, TreeListing

from bskernel.core.interfaces import OutputViolation


def list_tree(root: Path, name: str, take: Callable[[Path], Digest]) -> TreeListing:
    """The listing of a folder, with the digests that `take` returns for its files.

    Raises OutputViolation for links out of the folder or not to a file, special files and invalid names.
    """
    files = sorted(_files(root, "", name, take), key=lambda file: file.path)
    return TreeListing(files=tuple(files))


def _files(root: Path, folder: str, name: str, take: Callable[[Path], Digest]) -> Iterator[TreeFile]:
    with os.scandir(root / folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
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
        raise OutputViolation(
            f"{name}/{inside} is a link that does not point to a file; only links to files are allowed"
        )
