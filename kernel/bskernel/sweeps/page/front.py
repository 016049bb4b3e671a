"""The Pareto set among all points, two objectives at a time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import msgspec

from bskernel.sweeps.analysis.analysis_types import Objective, Outcome
from bskernel.sweeps.page.scale import Scale, scale_of
from bskernel.sweeps.plots.plot_data import KINDS, drawn, is_wide

_CELL = 200  # marks nearer than this part of an axis lie on one another
_ORDER = tuple(KINDS)  # the kind that matters most last


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a front, with all points that lie on it."""

    x: float  # places on the axes, from 0 to 1
    y: float
    kind: str  # the one of its points that matters most
    points: tuple[int, ...]  # their numbers in the table; those of that kind first


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """One objective upwards against another across."""

    upwards: Objective
    across: Objective
    vertical: Scale
    horizontal: Scale
    marks: tuple[Mark, ...]  # from left to right
    line: tuple[tuple[float, float], ...] = ()  # the steps that bound what the Pareto set dominates


def find_fronts(outcome: Outcome, numbers: Mapping[str, int]) -> tuple[Front, ...]:
    """A front per pair of objectives; none without points. `numbers` maps a point's name to its place in the table.

    With two objectives a stepped line bounds what the Pareto set dominates. With more there is none: a point that is
    in the set for the sake of a third objective may lie anywhere.
    """
    pairs = list(combinations(range(len(outcome.objectives)), 2))
    return tuple(_front(outcome, *pair, numbers, stepped=len(pairs) == 1) for pair in pairs if outcome.points)


def _front(outcome: Outcome, upwards: int, across: int, numbers: Mapping[str, int], *, stepped: bool) -> Front:
    vertical, horizontal = _scale(outcome, upwards), _scale(outcome, across)
    cells: dict[tuple[int, int], list[tuple[int, int, float, float]]] = {}
    for point, kind in drawn(outcome):
        x, y = horizontal.place(point.values[across]), vertical.place(point.values[upwards])
        cell = (round(x * _CELL), round(y * _CELL))
        cells.setdefault(cell, []).append((-_ORDER.index(kind), numbers[point.name], x, y))
    marks = [_mark(sorted(inside)) for inside in cells.values()]
    return Front(
        upwards=outcome.objectives[upwards],
        across=outcome.objectives[across],
        vertical=vertical,
        horizontal=horizontal,
        marks=tuple(sorted(marks, key=lambda mark: (mark.x, mark.y))),
        line=_steps(outcome, upwards, across, horizontal, vertical) if stepped else (),
    )


def _mark(inside: list[tuple[int, int, float, float]]) -> Mark:
    rank, _, x, y = inside[0]
    return Mark(x=x, y=y, kind=_ORDER[-rank], points=tuple(number for _, number, _, _ in inside))


def _scale(outcome: Outcome, at: int) -> Scale:
    values = [point.values[at] for point in outcome.points]
    return scale_of(values, log=is_wide(values))


def _steps(
    outcome: Outcome, upwards: int, across: int, horizontal: Scale, vertical: Scale
) -> tuple[tuple[float, float], ...]:
    found = {(horizontal.place(p.values[across]), vertical.place(p.values[upwards])) for p in outcome.pareto}
    corners: list[tuple[float, float]] = []
    for x, y in sorted(found):
        if corners:  # less across is better: the last height holds until the next point; else the next one's does
            corners.append(
                (x, corners[-1][1]) if outcome.objectives[across].sense == "minimize" else (corners[-1][0], y)
            )
        corners.append((x, y))
    return tuple(corners)
