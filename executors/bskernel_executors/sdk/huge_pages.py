"""The memory of a server that waits, moved into huge pages: what is forked of it then starts and ends sooner.

To fork and to end a process, the system goes through every page: of the 170 MiB that importing FINN leaves,
in pages of 4 KiB that takes four times as long as in pages of 2 MiB.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from pathlib import Path

BLOCK = 2 << 20  # bytes of a huge page, here and on most machines; elsewhere nothing is moved
_MADV_COLLAPSE = 25  # Linux 6.1; older systems refuse it


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
