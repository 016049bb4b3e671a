"""Pages of the server's memory that its steps write to, copied for the next step while its process waits.

A forked process shares the memory of its server, and copies each page when it first writes to it. Python writes to
an object whenever it uses one, so a step of FINN's copies 1,500 to 3,500 pages one by one. Which pages these are
hardly depends on the step: the first steps of a session report them at their end. Copying a page ahead changes
nothing but the time at which it is copied. Not every copied page is written to, so it is done only while a processor
has nothing else to do: where several steps run at a time, it would keep them waiting.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from bskernel_executors.sdk.huge_pages import private_memory
from bskernel_executors.sdk.libc import madvise
from bskernel_executors.sdk.number_runs import consecutive_runs

_MADV_POPULATE_WRITE = 23  # Linux 5.14; older systems refuse it
_PAGE = mmap.PAGESIZE
_STEPS = 4  # that report
_WRITERS = 3  # as many of them make a page worth copying
_MOST = 8192  # pages that a step can report
_PAGES = 1 << 52  # of the memory that addresses can name
_PAIR = struct.Struct("=QQ")
_LARGEST = 3000 * _PAIR.size  # bytes of a report: a pipe takes them without a reader
_AT_ONCE = 32  # ranges that are copied between two looks for the order
_PROCESSORS = os.cpu_count() or 1
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.004, 0.064  # between two looks for a free processor, which take time, too
# The last byte of a page's entry in pagemap (Documentation/admin-guide/mm/pagemap.rst): present, and of this process
# alone. Pages of a file have bit 61 too.
_OWN = re.compile(rb"\x81+")


class HotPages:
    """What a server knows about the pages that its steps write to."""

    def __init__(self) -> None:
        self._writers: Counter[int] = Counter()  # page -> how many of the reports name it
        self._reports = 0
        self._ranges: list[tuple[int, int]] = []

    @property
    def are_asked_for(self) -> bool:
        """True while steps report. Until then nothing is copied: a copied page counts as written to."""
        return self._reports < _STEPS

    def note(self, data: bytes) -> None:
        """Note a step's report; it may be anything."""
        self._reports += 1
        left = _MOST
        for first, count in _PAIR.iter_unpack(data[: len(data) // _PAIR.size * _PAIR.size]):
            left -= count
            if left < 0 or first + count >= _PAGES:
                break
            self._writers.update(range(first, first + count))
        if not self.are_asked_for:
            pages = consecutive_runs(page for page, writers in self._writers.items() if writers >= _WRITERS)
            self._ranges = [(first * _PAGE, (end - first) * _PAGE) for first, end in pages]

    def ranges(self) -> list[tuple[int, int]]:
        """Address and length of what to copy, in bytes; nothing while steps report."""
        return self._ranges


def copy_ahead(ranges: Iterable[tuple[int, int]], is_over: Callable[[float], bool]) -> None:
    """Copy these pages for this process, while a processor has nothing else to do, until `is_over`.

    `is_over` waits as many seconds for that as it is told. Where there is nothing any more, nothing happens.
    """
    for at, (address, length) in enumerate(ranges):
        if at % _AT_ONCE == 0 and _ends_before_free(is_over):
            return
        if madvise(address, length, _MADV_POPULATE_WRITE) and ctypes.get_errno() == errno.EINVAL:
            return  # the system is older than that


def _ends_before_free(is_over: Callable[[float], bool]) -> bool:
    """Wait until a processor is free; True once it `is_over`."""
    wait_s = 0.0
    while not is_over(wait_s):
        if count_runnable() <= _PROCESSORS:
            return False
        wait_s = min(max(_SHORTEST_WAIT_S, 4 * wait_s), _LONGEST_WAIT_S)
    return True


def count_runnable() -> int:
    """How many threads of the machine run or wait for a processor now, this one among them; 0 if nothing tells."""
    try:
        file = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        running, _, _ = os.read(file, 100).split()[3].partition(b"/")
        return int(running)
    except (OSError, ValueError, IndexError):
        return 0
    finally:
        os.close(file)


def open_pagemap() -> int | None:
    """Open what tells whose this process's pages are; None where the system does not show it."""
    try:
        return os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def written_pages(pagemap: int) -> bytes:
    """First page and number of pages, in pairs, of all that this process has written to since it was forked."""
    pairs = []
    for first, end in private_memory(Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()):
        page = first // _PAGE
        entries = os.pread(pagemap, (end - first) // _PAGE * 8, page * 8)
        pairs += [(page + found.start(), found.end() - found.start()) for found in _OWN.finditer(entries[7::8])]
    pairs.sort(key=lambda pair: -pair[1])
    return b"".join(_PAIR.pack(*pair) for pair in pairs[: _LARGEST // _PAIR.size])
