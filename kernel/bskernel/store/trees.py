"""Lists an open folder: reads each file once, follows links inside the folder, and refuses anything else."""

from __future__ import annotations

from collections.abc import Callable

from bskernel_protocol import Digest, TreeFile, TreeListing

from bskernel.core.interfaces import OutputViolation
from bskernel.core.visible_text import visible_name
from bskernel.remains.folder import RemainsRefused
from bskernel.remains.limits import TreeLimits
from bskernel.remains.tree import Known, walk


def list_tree(
    root: int,
    name: str,
    limits: TreeLimits,
    take: Callable[[int | None, str], Digest],
    *,
    base: str | None = None,
    known: Known = lambda _: False,
) -> TreeListing:
    """The listing of an open folder, with the digests that `take` returns for its files (descriptor, path inside).

    A file of which `known` says so, by its path, is not opened: it has no descriptor.

    `base` is the path of a folder in which links may be absolute. Raises OutputViolation for links out of the folder
    or not to a file, special files and bits, invalid names, and trees beyond the limits.
    """
    files = []
    try:
        for found in walk(root, name, limits, base=base, known=known):
            try:
                digest = take(found.fd, found.path)
                files.append(TreeFile(path=found.path, digest=digest, executable=found.executable))
            except ValueError as error:
                raise OutputViolation(f"{name}/{visible_name(found.path)}: {error}") from error
    except RemainsRefused as error:
        raise OutputViolation(str(error)) from error
    return TreeListing(files=tuple(sorted(files, key=lambda file: file.path)))
