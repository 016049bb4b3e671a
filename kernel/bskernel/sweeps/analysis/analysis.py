"""Analyses a sweep's table by its goals. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bskernel.config import SweepSection
from bskernel.core.errors import ConfigError
from bskernel.expr.parser import parse_quantity
from bskernel.result.comparison import ExpressionError
from bskernel.sweeps.analysis.analysis_types import Best, Goals, LeftOut, Objective, Outcome, Results, Scored
from bskernel.sweeps.analysis.constraints import (
    ConstraintCheck,
    Requirement,
    check_conditions,
    judge_point,
    read_requirements,
)
from bskernel.sweeps.analysis.metric import is_stand_in, names_in, resolve
from bskernel.sweeps.analysis.pareto import pareto_set
from bskernel.sweeps.analysis.recommendation import recommend
from bskernel.sweeps.analysis.table import Row, SweepTable


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A successful point: its numbers (None if missing), and whether it satisfies each condition."""

    row: Row
    values: tuple[float | None, ...]
    stand_in: tuple[str, ...]
    kept: tuple[ConstraintCheck, ...]


def objectives_of(goals: Goals, rows: Sequence[Row]) -> tuple[Objective, ...]:
    """The objectives to maximize, then those to minimize, in the given order. Raises ConfigError."""
    names = names_in(rows)
    found: list[Objective] = []
    for sense in ("maximize", "minimize"):
        for text in getattr(goals, sense):
            metric = resolve(text, rows, names, sense)
            if any(str(metric) == str(other.metric) for other in found):
                raise ConfigError(f"{sense} {text!r}: {metric} is already an objective", hint="name it once")
            found.append(Objective(metric=metric, sense=sense))
    return tuple(found)


def goals_of(section: SweepSection, where: str) -> Goals:
    """The goals of [sweep], checked for syntax before any point exists.

    Raises ConfigError, which `where` begins; also for a search without an objective.
    """
    goals = Goals.of(section)
    for sense in ("maximize", "minimize"):
        for text in getattr(goals, sense):
            try:
                parse_quantity(text)
            except ExpressionError as error:
                raise ConfigError(f"{where}.{sense}: {text}: {error}", hint=f'e.g. {sense} = "LUT"') from error
    check_conditions(goals.require, f"{where}.require")
    if section.search is not None and not (goals.maximize or goals.minimize):
        raise ConfigError(f"{where}.search: needs an objective", hint='e.g. [sweep] maximize = "throughput"')
    return goals


def results_of(table: SweepTable, goals: Goals) -> Results:
    """The table with its analysis. Raises ConfigError, as `assess`."""
    return Results(table=table, goals=goals, outcome=assess(table, goals))


def assess(table: SweepTable, goals: Goals) -> Outcome:
    """Compute the Pareto set, the best points and a recommendation, and list the points left out.

    Compared are points that ended well, have a number for every objective and keep every condition. Numbers from a
    stand-in for a tool are compared with no others: such points are left out, unless there are only such; then all
    that is said of them is marked. Raises ConfigError for a name or a condition that is none, but only when a point
    succeeded: when all points failed, no names are known.
    """
    well = [row for row in table.rows if row.status == "ok"]
    left = [LeftOut(name=row.name, reason=_ended(row)) for row in table.rows if row.status != "ok"]
    if not any(row.quantities for row in well):
        left += [LeftOut(name=row.name, reason="no metrics") for row in well]
        return Outcome(objectives=(), require=goals.require, points=(), left_out=_ordered(left, table))
    objectives = objectives_of(goals, well)
    requirements = read_requirements(goals.require, names_in(table.rows), "require")
    judged = [_judge(row, objectives, requirements) for row in well]
    judged, apart, warnings = _apart_from_stand_ins(judged)
    compared = []
    for one in judged:
        reason = _why_not(one, objectives)
        if reason is None:
            compared.append(_scored(one))
        else:
            left.append(LeftOut(name=one.row.name, reason=reason))
    chosen = pareto_set([_costs(point, objectives) for point in compared]) if objectives else ()
    pareto = tuple(compared[place] for place in chosen)
    return Outcome(
        objectives=objectives,
        require=goals.require,
        points=tuple(compared),
        pareto=pareto,
        best=_bests(judged, objectives, requirements),
        recommendation=recommend(pareto, objectives),
        left_out=_ordered([*left, *apart], table),
        warnings=warnings,
    )


def _ended(row: Row) -> str:
    return f"{row.status}: {row.reason}" if row.reason else row.status


def _ordered(left: Sequence[LeftOut], table: SweepTable) -> tuple[LeftOut, ...]:
    place = {row.name: at for at, row in enumerate(table.rows)}
    return tuple(sorted(left, key=lambda one: place[one.name]))


def _judge(row: Row, objectives: Sequence[Objective], requirements: Sequence[Requirement]) -> _Judged:
    found = [objective.metric.of(row) for objective in objectives]
    kept = tuple(judge_point(requirement, row) for requirement in requirements)
    stand_in = [str(one.metric) for one, item in zip(objectives, found, strict=True) if item and is_stand_in(item)]
    stand_in += [requirement.text for requirement, how in zip(requirements, kept, strict=True) if how.stand_in]
    values = tuple(None if item is None else item.value for item in found)
    return _Judged(row=row, values=values, stand_in=tuple(stand_in), kept=kept)


def _apart_from_stand_ins(judged: list[_Judged]) -> tuple[list[_Judged], list[LeftOut], tuple[str, ...]]:
    real = [one for one in judged if not one.stand_in]
    if len(real) == len(judged):
        return judged, [], ()
    if real:
        apart = [
            LeftOut(name=one.row.name, reason=f"{', '.join(one.stand_in)} from a stand-in for the tool, not a result")
            for one in judged
            if one.stand_in
        ]
        return real, apart, (f"{len(apart)} points have numbers from a stand-in for a tool and are left out",)
    return judged, [], ("all numbers are from a stand-in for a tool, recorded from another design: not results",)


def _why_not(one: _Judged, objectives: Sequence[Objective]) -> str | None:
    absent = [str(goal.metric) for goal, value in zip(objectives, one.values, strict=True) if value is None]
    if absent:
        return f"{', '.join(absent)} is missing"
    return next((how.reason for how in one.kept if how.kept is not True), None)


def _scored(one: _Judged) -> Scored:
    values = tuple(value for value in one.values if value is not None)
    return Scored(name=one.row.name, values=values, stand_in=one.stand_in)


def _costs(point: Scored, objectives: Sequence[Objective]) -> tuple[float, ...]:
    return tuple(objective.cost(value) for objective, value in zip(objectives, point.values, strict=True))


def _bests(
    judged: Sequence[_Judged], objectives: Sequence[Objective], requirements: Sequence[Requirement]
) -> tuple[Best, ...]:
    """The best of each objective without conditions, under each condition alone, and under all."""
    every = tuple(range(len(requirements)))
    groups = list(dict.fromkeys([(), *((place,) for place in every), every]))
    bests = []
    for at, objective in enumerate(objectives):
        free: float | None = None
        for group in groups:
            keeping = tuple(requirements[place].text for place in group)
            among = [one for one in judged if all(one.kept[place].kept for place in group)]
            best = _best(among, at, objective, objectives, keeping)
            free = best.value if not group else free
            bests.append(msgspec.structs.replace(best, change=_relative(best.value, free) if group else None))
    return tuple(bests)


def _best(
    among: Sequence[_Judged], at: int, objective: Objective, objectives: Sequence[Objective], keeping: tuple[str, ...]
) -> Best:
    having = [one for one in among if one.values[at] is not None]
    if not having:
        return Best(objective=str(objective), keeping=keeping, point=None)
    order = (at, *(other for other in range(len(objectives)) if other != at))

    def rank(one: _Judged) -> tuple[float, ...]:
        values = [(objectives[place], one.values[place]) for place in order]
        return tuple(float("inf") if value is None else goal.cost(value) for goal, value in values)

    best = min(having, key=rank)
    return Best(
        objective=str(objective),
        keeping=keeping,
        point=best.row.name,
        value=best.values[at],
        unit=objective.metric.unit,
        of=len(having),
        stand_in=bool(best.stand_in),
    )


def _relative(value: float | None, free: float | None) -> float | None:
    return None if value is None or not free else (value - free) / abs(free)
