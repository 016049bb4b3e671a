"""Recommends the best compromise in a Pareto set, with the reason in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bskernel.sweeps.analysis.analysis_types import Objective, Recommendation, Scored
from bskernel.sweeps.analysis.metric import shown

METHOD = (
    "least distance to the best of each objective at once, each scaled from 0 (best in the Pareto set) to 1 (worst)"
)


def distances(pareto: Sequence[Scored], objectives: Sequence[Objective]) -> list[float]:
    """The distance of each point from the ideal point, which has the best value of every objective.

    Each objective is scaled over the Pareto set, from 0 for its best number to 1 for its worst, so that units do not
    matter; the distance is Euclidean, from 0 to the square root of the number of objectives.
    """
    squares = [0.0] * len(pareto)
    for place, objective in enumerate(objectives):
        costs = [objective.cost(point.values[place]) for point in pareto]
        best, worst = min(costs), max(costs)
        if worst > best:
            # Halved first: the span of two finite numbers may overflow.
            span = worst / 2 - best / 2
            squares = [
                so_far + ((cost / 2 - best / 2) / span) ** 2 for so_far, cost in zip(squares, costs, strict=True)
            ]
    return [math.sqrt(square) for square in squares]


def recommend(pareto: Sequence[Scored], objectives: Sequence[Objective]) -> Recommendation | None:
    """The point of the Pareto set nearest to the ideal; the first of equally near ones. None for an empty set."""
    if not pareto or not objectives:
        return None
    far = distances(pareto, objectives)
    place = min(range(len(pareto)), key=far.__getitem__)
    chosen = pareto[place]
    near = sum(math.isclose(distance, far[place]) for distance in far)
    same = tuple(point.name for point in pareto if point.values == chosen.values and point is not chosen)
    reason = _reason(chosen, pareto, objectives, far[place])
    if near > len(same) + 1:
        reason += f" {near} points are equally near; this is the first of them."
    if chosen.stand_in:
        reason = f"NOT A RESULT: {', '.join(chosen.stand_in)} from a stand-in for the tool. {reason}"
    return Recommendation(point=chosen.name, method=METHOD, reason=reason, same=same, stand_in=bool(chosen.stand_in))


def _reason(chosen: Scored, pareto: Sequence[Scored], objectives: Sequence[Objective], far: float) -> str:
    others: list[str] = []
    for place, objective in enumerate(objectives):
        best = min(pareto, key=lambda point: objective.cost(point.values[place]))
        if best.values[place] != chosen.values[place]:
            changes = _changes(chosen, best, objectives)
            others.append(f"Against {best.name}, which has the {objective.best} {objective.metric.name}: {changes}.")
    if not others:
        return f"It has the {' and the '.join(f'{one.best} {one.metric.name}' for one in objectives)}."
    differing = sum(len({point.values[place] for point in pareto}) > 1 for place in range(len(objectives)))
    return " ".join([f"Distance {far:.3g} of at most {math.sqrt(differing):.3g}.", *others])


def _changes(chosen: Scored, other: Scored, objectives: Sequence[Objective]) -> str:
    pairs = zip(chosen.values, other.values, objectives, strict=True)
    return ", ".join(
        f"{objective.metric.name} {_change(mine, theirs)} ({shown(mine)} instead of {_with_unit(theirs, objective)})"
        for mine, theirs, objective in pairs
        if mine != theirs
    )


def _with_unit(value: float, objective: Objective) -> str:
    unit = objective.metric.unit
    return shown(value) + ("" if unit in {"", "count"} else f" {unit}")


def _change(mine: float, theirs: float) -> str:
    direction = "higher" if mine > theirs else "lower"
    if theirs == 0 or not math.isfinite((mine - theirs) / theirs):
        return direction
    return f"{abs((mine - theirs) / theirs) * 100:.3g} % {direction}"
