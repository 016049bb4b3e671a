"""Find the smallest FIFOs with which a design keeps its pace. Pure: `keeps` tells whether depths suffice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Keeps = Callable[[Sequence[int]], bool]


def bisect_smallest(low: int, high: int, good: Callable[[int], bool]) -> int:
    """Find the smallest good number in [low, high]. Every larger one must be good, and `high` is assumed to be."""
    while low < high:
        middle = (low + high) // 2
        if good(middle):
            high = middle
        else:
            low = middle + 1
    return high


def find_uniform_depth(marks: Sequence[int], floor: int, keeps: Keeps) -> int:
    """Find the smallest depth that suffices for all FIFOs; the largest mark is assumed to suffice."""
    return bisect_smallest(floor, max(floor, *marks), lambda depth: keeps([depth] * len(marks)))


def find_depths(
    marks: Sequence[int], widths: Sequence[int], floor: int, uniform: int, keeps: Keeps
) -> tuple[int, ...]:
    """Find depths in values of which none can be reduced alone.

    `marks` (the most values that each FIFO held) and `uniform` (one depth for all) each suffice; `widths` are in
    bits, `floor` is the least depth. Large FIFOs come first. One pass is enough: a FIFO that cannot shrink while
    others are deeper cannot shrink when they are smaller.
    """
    both = [max(floor, min(mark, uniform)) for mark in marks]
    depths = both if keeps(both) else [uniform] * len(marks)
    for at in sorted(range(len(depths)), key=lambda index: -depths[index] * widths[index]):

        def good(depth: int, at: int = at) -> bool:
            return keeps([*depths[:at], depth, *depths[at + 1 :]])

        depths[at] = bisect_smallest(floor, depths[at], good)
    return tuple(depths)
