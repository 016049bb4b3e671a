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
    """Find the smallest depth that suffices for all FIFOs; the largest mark is assumed to suffice.

    It is often small beside the largest mark, so the search doubles before it bisects.
    """
    low, high, most = floor, floor, max(floor, *marks)
    while high < most and not keeps([high] * len(marks)):
        low, high = high + 1, min(2 * high, most)
    return bisect_smallest(low, high, lambda depth: keeps([depth] * len(marks)))


def find_depths(
    marks: Sequence[int], widths: Sequence[int], floor: int, uniform: int, keeps: Keeps
) -> tuple[int, ...]:
    """Find depths in values of which none can be reduced alone.

    `marks` (the most values that each FIFO held) and `uniform` (one depth for all) each suffice; `widths` are in
    bits, `floor` is the least depth. Most FIFOs can have the least depth, so groups of them try it at once: about
    2 k log2(n / k) trials find the k of n FIFOs that need more. Each of these is bisected, the large ones first.
    One pass is enough: a FIFO that cannot shrink while others are deeper cannot shrink when they are smaller.
    """
    both = [max(floor, min(mark, uniform)) for mark in marks]
    depths = both if keeps(both) else [uniform] * len(marks)
    by_size = sorted(range(len(depths)), key=lambda index: -depths[index] * widths[index])
    large = [at for at in by_size if depths[at] > floor]
    for at in sorted(_lower(depths, large, floor, keeps), key=by_size.index):

        def good(depth: int, at: int = at) -> bool:
            return keeps([*depths[:at], depth, *depths[at + 1 :]])

        depths[at] = bisect_smallest(floor + 1, depths[at], good)
    return tuple(depths)


def _lower(depths: list[int], group: Sequence[int], floor: int, keeps: Keeps, *, fails: bool = False) -> list[int]:
    """Set every FIFO of a group to the least depth that can have it; return those that cannot.

    `fails` says that the whole group is known not to.
    """
    if not group:
        return []
    if not fails:
        lowered = list(depths)
        for at in group:
            lowered[at] = floor
        if keeps(lowered):
            depths[:] = lowered
            return []
    if len(group) == 1:
        return list(group)
    half = len(group) // 2
    first = _lower(depths, group[:half], floor, keeps)
    # If the first half could be lowered, the second is why the whole cannot.
    return first + _lower(depths, group[half:], floor, keeps, fails=not first)
