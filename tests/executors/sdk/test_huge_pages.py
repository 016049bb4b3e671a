"""Which memory a server moves into huge pages, by what the system says of its mappings."""

import ctypes
import mmap
from pathlib import Path

from bskernel_executors.sdk.huge_pages import BLOCK, HugePageMover, find_blocks, move_into_huge_pages
from hypothesis import given
from hypothesis import strategies as st

MODES = st.sampled_from(["rw-p", "r--p", "r-xp", "rw-s", "---p", "rwxp"])
NAMES = st.sampled_from(["", "[heap]", "[stack]", "[vdso]", "[anon: x]", "/usr/lib/a b.so", "/dev/shm/x (deleted)"])
MAPPINGS = st.tuples(st.integers(1, 1 << 40), st.integers(1, 4000), MODES, st.sampled_from(["0", "77"]), NAMES)


def line(first: int, pages: int, modes: str, inode: str, name: str) -> str:
    first *= mmap.PAGESIZE
    return f"{first:x}-{first + pages * mmap.PAGESIZE:x} {modes} 00000000 00:00 {inode}  {name}".rstrip()


@given(MAPPINGS)
def test_only_whole_blocks_of_private_anonymous_memory_are_moved(mapping: tuple[int, int, str, str, str]) -> None:
    first, pages, modes, inode, name = mapping
    found = list(find_blocks([line(*mapping)]))
    if found:
        assert modes in {"rw-p", "rwxp"}
        assert inode == "0"
        assert not name.startswith("/")
        assert name != "[stack]"
    begin, end = first * mmap.PAGESIZE, (first + pages) * mmap.PAGESIZE
    assert all(at % BLOCK == 0 and begin <= at and at + BLOCK <= end for at in found)
    if modes == "rw-p" and inode == "0" and name in {"", "[heap]"}:
        # None is left out: what is before the first and behind the last is less than one.
        assert len(found) == max(0, end // BLOCK - -(-begin // BLOCK))


def test_what_is_moved_keeps_its_bytes() -> None:
    memory = mmap.mmap(-1, 4 * BLOCK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:] = bytes(range(256)) * (len(memory) // 256)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    at = set(find_blocks(Path("/proc/self/maps").read_text().splitlines()))
    assert len({block for block in at if address <= block < address + len(memory)}) >= 3
    moved = sum(1 for _ in move_into_huge_pages())
    assert moved >= 3
    assert memory[:] == bytes(range(256)) * (len(memory) // 256)


def moved(mover: HugePageMover) -> int:
    """How many blocks are moved until there are no more."""
    count = 0
    while not mover.move_block():
        count += 1
    return count


def test_memory_is_moved_whenever_nobody_asks_for_anything() -> None:
    mover = HugePageMover()
    assert mover.idle_timeout([])
    memory = mmap.mmap(-1, 2 * BLOCK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    assert moved(mover) >= len(memory) // BLOCK - 1
    assert mover.idle_timeout([]) is None
    mover.note_write()
    assert mover.idle_timeout([]) == 0.0
    mover.note_message()
    assert mover.idle_timeout([])
    assert moved(mover) > 0


def test_beside_steps_memory_is_moved_once_when_there_were_several() -> None:
    mover = HugePageMover()
    for _ in range(2):
        mover.note_fork()
        assert mover.idle_timeout([False]) is None
    mover.note_fork()
    assert mover.idle_timeout([False, True]) is None
    assert mover.idle_timeout([False, False]) == 0.0
    assert moved(mover) > 0
    mover.note_write()
    mover.note_fork()
    assert mover.idle_timeout([False]) is None
    assert mover.idle_timeout([]) is not None
