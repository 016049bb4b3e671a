"""The smallest FIFOs with which a design keeps its pace. Pure: `keeps` says whether depths are enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Keeps = Callable[[Sequence[int]], bool]


def smallest(low: int, high: int, good: Callable[[int], bool]) -> int:
    """The smallest number in [low, high] that is good, where every larger one is too; `high` is taken to be good."""
    while low < high:
        middle = (low + high) // 2
        if good(middle):
            high = middle
        else:
            low = middle + 1
    return high


def uniform_depth(marks: Sequence[int], floor: int, keeps: Keeps) -> int:
    """The smallest depth that is enough for all FIFOs alike; the largest mark is taken to be."""
    return smallest(floor, max(floor, *marks), lambda depth: keeps([depth] * len(marks)))


def size_fifos(
    marks: Sequence[int], widths: Sequence[int], floor: int, uniform: int, keeps: Keeps
) -> tuple[int, ...]:
    """Depths of which none can be made smaller alone, from the most that each FIFO held.

    `marks` and `uniform` (the same depth for all) are each enough. Wide and deep FIFOs come first. One pass is
    enough: a FIFO that cannot be smaller while others are deeper cannot be so when they are smaller.
    """
    both = [max(floor, min(mark, uniform)) for mark in marks]
    depths = both if keeps(both) else [uniform] * len(marks)
    for at in sorted(range(len(depths)), key=lambda index: -depths[index] * widths[index]):

        def good(depth: int, at: int = at) -> bool:
            return keeps([*depths[:at], depth, *depths[at + 1 :]])

        depths[at] = smallest(floor, depths[at], good)
    return tuple(depths)
