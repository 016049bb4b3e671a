"""Which pages of a server's memory its steps write to, and that copying them ahead changes nothing but when."""

import ctypes
import mmap
import os
import resource
import struct
from collections.abc import Callable, Iterator

import pytest
from bskernel_executors.sdk import hot_pages
from bskernel_executors.sdk.hot_pages import HotPages, copy_ahead, count_runnable, open_pagemap, written_pages
from hypothesis import given
from hypothesis import strategies as st

PAGES = 256
CONTENT = bytes(range(256)) * (mmap.PAGESIZE // 256)
PAIR = struct.Struct("=QQ")


@pytest.fixture(autouse=True)
def free_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else the machine does, a processor is free."""
    monkeypatch.setattr(hot_pages, "count_runnable", lambda: 1)


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    """Memory of this process, which children share until they write to it."""
    made = mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # Huge pages would be copied in other amounts.
    made.madvise(mmap.MADV_NOHUGEPAGE)
    made[:] = CONTENT * PAGES
    yield made
    made.close()


def start_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def in_child(work: Callable[[], bytes]) -> bytes:
    """What `work` returns in a forked process."""
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(sink, work())
        finally:
            os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as told:
        data = told.read()
    assert os.waitpid(pid, 0)[1] == 0
    return data


def write_to(memory: mmap.mmap, pages: range) -> int:
    """Write a byte to each page; returns the page faults of that."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for page in pages:
        memory[page * mmap.PAGESIZE] = 77
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_step_tells_the_pages_that_it_has_written_to(memory: mmap.mmap) -> None:
    first = start_of(memory) // mmap.PAGESIZE

    def work() -> bytes:
        write_to(memory, range(100, 140))
        pagemap = open_pagemap()
        return written_pages(pagemap) if pagemap is not None else b""

    told = in_child(work)
    if not told:
        pytest.skip("the system does not show whose pages are")
    pages = {page for start, count in PAIR.iter_unpack(told) for page in range(start, start + count)}
    of_memory = {page - first for page in pages if first <= page < first + PAGES}
    assert of_memory == set(range(100, 140))


def test_pages_that_were_copied_ahead_fault_no_more_and_hold_the_same(memory: mmap.mmap) -> None:
    where = [(start_of(memory), PAGES * mmap.PAGESIZE)]

    def faults(*, ahead: bool) -> int:
        def work() -> bytes:
            if ahead:
                copy_ahead(where, lambda _: False)
                if memory[:] != CONTENT * PAGES:
                    return b"-1"
            return str(write_to(memory, range(PAGES))).encode()

        return int(in_child(work))

    assert faults(ahead=False) >= PAGES
    if (few := faults(ahead=True)) >= PAGES:
        pytest.skip("the system copies no pages ahead")
    assert 0 <= few < PAGES // 8
    assert memory[:] == CONTENT * PAGES


def test_an_order_ends_the_copying(memory: mmap.mmap) -> None:
    where = [(start_of(memory) + page * mmap.PAGESIZE, mmap.PAGESIZE) for page in range(PAGES)]

    def work() -> bytes:
        copy_ahead(where, lambda _: True)
        return str(write_to(memory, range(PAGES))).encode()

    assert int(in_child(work)) >= PAGES


@pytest.mark.parametrize("free_at_last", [False, True])
def test_pages_are_copied_only_while_a_processor_is_free(
    memory: mmap.mmap, monkeypatch: pytest.MonkeyPatch, free_at_last: bool
) -> None:
    where = [(start_of(memory), PAGES * mmap.PAGESIZE)]
    runnable = iter([1000] * 5 + [1 if free_at_last else 1000] * 100)
    monkeypatch.setattr(hot_pages, "count_runnable", lambda: next(runnable))
    waits: list[float] = []

    def is_over(wait_s: float) -> bool:
        waits.append(wait_s)
        return len(waits) > 10

    def work() -> bytes:
        copy_ahead(where, is_over)
        faults = write_to(memory, range(PAGES))
        return f"{faults} {len(waits)} {waits[0]} {min(waits[1:])}".encode()

    faults, looks, first, shortest = in_child(work).split()
    assert (float(first), float(shortest) > 0) == (0, True)
    assert int(looks) == (6 if free_at_last else 11)
    if not free_at_last:
        assert int(faults) >= PAGES
    elif int(faults) >= PAGES:
        pytest.skip("the system copies no pages ahead")


def test_the_system_tells_how_many_threads_run() -> None:
    assert count_runnable() >= 1


def test_what_is_not_there_is_not_copied() -> None:
    made = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    gone = start_of(made)
    made.close()

    def work() -> bytes:
        copy_ahead(((address, mmap.PAGESIZE) for address in (gone, 0, (1 << 64) - mmap.PAGESIZE)), lambda _: False)
        return b"alive"

    assert in_child(work) == b"alive"


def test_only_pages_of_most_steps_are_copied_and_none_before_all_have_told() -> None:
    hot = HotPages()
    for pages in ([(10, 4)], [(10, 2), (20, 1)], [(11, 1), (20, 1)], [(10, 2), (20, 1)]):
        assert hot.are_asked_for
        assert hot.ranges() == []
        hot.note(b"".join(PAIR.pack(*pair) for pair in pages))
    assert not hot.are_asked_for
    assert hot.ranges() == [(10 * mmap.PAGESIZE, 2 * mmap.PAGESIZE), (20 * mmap.PAGESIZE, mmap.PAGESIZE)]


@given(st.lists(st.one_of(st.binary(max_size=200), st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)))))
def test_whatever_steps_tell_little_is_copied(told: list[bytes | tuple[int, int]]) -> None:
    hot = HotPages()
    for one in told:
        for _ in range(4):
            hot.note(one if isinstance(one, bytes) else PAIR.pack(*one))
    assert sum(length for _, length in hot.ranges()) <= max(1, len(told)) * 4 * 8192 * mmap.PAGESIZE
    assert all(address + length < 1 << 64 for address, length in hot.ranges())
