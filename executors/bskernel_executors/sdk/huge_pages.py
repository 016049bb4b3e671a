"""The memory of a server that waits, moved into huge pages: what is forked of it then starts and ends sooner.

To fork and to end a process, the system goes through every page: of the 170 MiB that importing FINN leaves,
in pages of 4 KiB that takes four times as long as in pages of 2 MiB.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

BLOCK = 2 << 20  # bytes of a huge page, here and on most machines; elsewhere nothing is moved
_MADV_COLLAPSE = 25  # Linux 6.1; older systems refuse it
_QUIET_S = 0.1  # after that, a server has time: it is kept, or its build is busy elsewhere
_SEVERAL = 3  # children; there will then be so many more that moving saves time even beside them


def blocks(maps: Iterable[str]) -> Iterator[int]:
    """Addresses of the whole blocks in private anonymous memory that can be written, by lines of /proc/PID/maps."""
    for line in maps:
        span, modes, _, _, inode, *name = line.split(maxsplit=5)
        if inode != "0" or not modes.startswith("rw") or not modes.endswith("p"):
            continue
        if name and name[0].strip() != "[heap]" and not name[0].startswith("[anon"):
            continue
        first, end = (int(part, 16) for part in span.split("-"))
        yield from range(-(-first // BLOCK) * BLOCK, end - BLOCK + 1, BLOCK)


def move_into_huge_pages() -> Iterator[None]:
    """Move this process's memory, a block at each turn, which takes a millisecond or a few; what cannot be stays."""
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for address in list(blocks(Path("/proc/self/maps").read_text(encoding="utf-8").splitlines())):
        madvise(address, BLOCK, _MADV_COLLAPSE)
        yield


class Mover:
    """When a server moves its memory: whenever nobody asks for anything, and once, early, beside its steps.

    Beside steps not again: what is written to on either side is in small pages soon, and to move it copies all.
    A step keeps the old pages until it ends, so none may run whose memory is limited.
    """

    def __init__(self) -> None:
        self._left: Iterator[None] | None = move_into_huge_pages()  # None when there is nothing to move
        self._moved = False  # at least once
        self._forks = 0
        self._quiet = False

    def forked(self) -> None:
        """The server has a new child."""
        self._forks += 1

    def written(self) -> None:
        """The server has heard of a step's end, and so written to its memory."""
        if self._moved:
            self._left = move_into_huge_pages()

    def patience(self, limited: Collection[bool]) -> float | None:
        """How many seconds without a message the next block waits for; None when none is to be moved.

        `limited` says of each step that runs whether its memory is limited.
        """
        if self._left is None:
            return None
        if not limited:
            return 0.0 if self._quiet else _QUIET_S
        return None if self._moved or any(limited) or self._forks < _SEVERAL else 0.0

    def heard(self) -> None:
        """A message has come."""
        self._quiet = False

    def move(self) -> bool:
        """After that time: move a block. True once, when all is moved; children forked before have the old pages."""
        self._quiet = True
        for _ in self._left or ():
            return False
        self._left, self._moved = None, True
        return True
