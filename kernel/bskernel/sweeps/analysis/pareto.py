"""The Pareto set of points with several numbers each."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_set(values: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Positions of the points that no other point dominates, in order; less is better in every number.

    A point dominates another when it is nowhere worse and somewhere better, so points with equal numbers stand or
    fall together. Numbers are finite. Time and memory grow with the square of the distinct points, but by their bits:
    of each number, a point's set of those that are no worse is one integer (10,000 points need 13 MB a set).
    """
    distinct = sorted({tuple(point) for point in values})
    if not distinct or not distinct[0]:
        return tuple(range(len(values)))
    no_worse = [-1] * len(distinct)
    for dimension in range(len(distinct[0])):
        for place, smaller_or_equal in enumerate(_no_worse_in(dimension, distinct)):
            no_worse[place] &= smaller_or_equal
    # Only the point itself is no worse in all dimensions.
    best = {point for place, point in enumerate(distinct) if no_worse[place] == 1 << place}
    return tuple(place for place, point in enumerate(values) if tuple(point) in best)


def _no_worse_in(dimension: int, points: Sequence[tuple[float, ...]]) -> list[int]:
    """For each point, as a bit set, the points that are at most as large in this dimension."""
    by_value: dict[float, int] = {}
    for place, point in enumerate(points):
        by_value[point[dimension]] = by_value.get(point[dimension], 0) | 1 << place
    upto, seen = {}, 0
    for value in sorted(by_value):
        seen |= by_value[value]
        upto[value] = seen
    return [upto[point[dimension]] for point in points]
