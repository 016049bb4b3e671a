"""Move the memory of an idle server into huge pages, so that its forked children start and end sooner.

To fork and to end a process, the system walks every page. For the 170 MiB that importing FINN leaves, that takes four
times as long with pages of 4 KiB as with pages of 2 MiB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from bskernel_executors.sdk.libc import madvise

BLOCK = 2 << 20  # bytes of a huge page on most machines; on others nothing is moved
_MADV_COLLAPSE = 25  # Linux 6.1; older systems refuse it
_QUIET_S = 0.1  # a server without messages for so long is idle: kept warm, or its build is busy elsewhere
_SEVERAL = 3  # forks; after so many there are likely to be enough more to make moving pay off even beside steps


def private_memory(maps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each writable, private, anonymous part of memory, from the lines of /proc/PID/maps."""
    for line in maps:
        span, modes, _, _, inode, *name = line.split(maxsplit=5)
        if inode != "0" or not modes.startswith("rw") or not modes.endswith("p"):
            continue
        if name and name[0].strip() != "[heap]" and not name[0].startswith("[anon"):
            continue
        first, end = (int(part, 16) for part in span.split("-"))
        yield first, end


def find_blocks(maps: Iterable[str]) -> Iterator[int]:
    """Yield addresses of whole blocks in writable, private, anonymous memory, from the lines of /proc/PID/maps."""
    for first, end in private_memory(maps):
        yield from range(-(-first // BLOCK) * BLOCK, end - BLOCK + 1, BLOCK)


def move_into_huge_pages() -> Iterator[None]:
    """Move this process's memory, one block per iteration (a few milliseconds each); skip what cannot be moved."""
    for address in list(find_blocks(Path("/proc/self/maps").read_text(encoding="utf-8").splitlines())):
        madvise(address, BLOCK, _MADV_COLLAPSE)
        yield


class HugePageMover:
    """Decides when a server moves its memory: whenever it is idle, and once, early, while steps run.

    Only once while steps run: what parent or child writes to is soon in small pages again, and moving it copies all
    of it. A step keeps the old pages until it ends, so no step with a memory limit may be running.
    """

    def __init__(self) -> None:
        self._remaining: Iterator[None] | None = move_into_huge_pages()  # None when there is nothing to move
        self._moved = False  # at least once
        self._forks = 0
        self._idle = False

    def note_fork(self) -> None:
        """The server has forked a child."""
        self._forks += 1

    def note_write(self) -> None:
        """The server has processed a step's end, and so written to its memory."""
        if self._moved:
            self._remaining = move_into_huge_pages()

    @property
    def heeds_limits(self) -> bool:
        """Whether limits of running steps decide anything now: to find one, a manifest is read."""
        return self._remaining is not None and not self._moved and self._forks >= _SEVERAL

    def idle_timeout(self, limited: Collection[bool]) -> float | None:
        """Return after how many seconds without a message to move a block; None if there is nothing to move now.

        `limited` says for each running step whether its memory is limited.
        """
        if self._remaining is None:
            return None
        if not limited:
            return 0.0 if self._idle else _QUIET_S
        return None if self._moved or any(limited) or self._forks < _SEVERAL else 0.0

    def note_message(self) -> None:
        """A message has arrived."""
        self._idle = False

    def move_block(self) -> bool:
        """Move a block, after that timeout. Returns True once all are moved; earlier children keep the old pages."""
        self._idle = True
        for _ in self._remaining or ():
            return False
        self._remaining, self._moved = None, True
        return True
