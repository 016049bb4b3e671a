"""Everything that a sweep's page shows, as one value. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from bskernel.report.page.figures import number, unit_text
from bskernel.result.quantities import FoundQuantity
from bskernel.sweeps.analysis.analysis_types import Objective, Outcome, Results, Scored
from bskernel.sweeps.analysis.metric import latest
from bskernel.sweeps.analysis.table import Row, SweepTable, counted
from bskernel.sweeps.page.front import Front, find_fronts
from bskernel.sweeps.plots.parallel import Axis, axes_of
from bskernel.sweeps.plots.plot_data import DOMINATED, PARETO, RECOMMENDED, drawn, text_of
from bskernel.sweeps.results.sweep_result import StepCounts

_MOST_CELLS = 60_000  # of the table: beyond, only the objectives are in it
LEFT_OUT = "left out"


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from a sweep's directory."""

    results: Results
    sweep_sha256: str
    status: str | None = None  # None in a file of others
    counts: StepCounts | None = None
    seconds: float | None = None
    links: Mapping[str, str] = {}  # point -> its page, relative to the folder of the sweep's page
    altered: tuple[str, ...] = ()  # what changed in the directory since the sweep


class PointRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table."""

    row: Row
    number: int
    kind: str  # as in plot_data, or LEFT_OUT
    settings: tuple[str, ...]
    numbers: tuple[FoundQuantity | None, ...]  # in the order of the columns


class NumberColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of numbers: its title, and whether it is an objective."""

    title: str
    objective: bool = False


class PointLine(msgspec.Struct, frozen=True, kw_only=True):
    """A point in the parallel coordinates: its place on each axis, None if missing."""

    number: int
    kind: str
    places: tuple[float | None, ...]


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """The recommended point or the best one of an objective, in the table beside the recommendation."""

    title: str
    number: int
    values: tuple[float, ...]
    changes: tuple[float | None, ...]  # of the recommended point against this one, as fractions; None: no ratio


class ReasonGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Points that are left out for one reason."""

    reason: str
    points: tuple[int, ...]


class SweepPage(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows."""

    record: SweepRecord
    rows: tuple[PointRow, ...]
    columns: tuple[NumberColumn, ...]
    shortened: bool  # the table holds only the objectives
    fronts: tuple[Front, ...]
    axes: tuple[Axis, ...]
    lines: tuple[PointLine, ...]
    alternatives: tuple[Alternative, ...]
    left_out: tuple[ReasonGroup, ...]
    drawn: int  # points in the plots
    word: str
    kind: str  # "good", "warning" or "bad"
    cause: str

    @property
    def table(self) -> SweepTable:
        """The sweep's table."""
        return self.record.results.table

    @property
    def outcome(self) -> Outcome:
        """The analysis."""
        return self.record.results.outcome

    @property
    def recommended(self) -> PointRow | None:
        """The row of the recommended point."""
        return next((row for row in self.rows if row.kind == RECOMMENDED), None)


def make_sweep_page(record: SweepRecord) -> SweepPage:
    """The page of what was read."""
    table, outcome = record.results.table, record.results.outcome
    numbers = {row.name: at for at, row in enumerate(table.rows)}
    columns, cells, shortened = _columns(table, outcome.objectives)
    kinds = _kinds(outcome)
    rows = tuple(
        PointRow(
            row=row,
            number=at,
            kind=kinds.get(row.name, LEFT_OUT),
            settings=tuple(text_of(row.settings.get(key)) for key in table.keys),
            numbers=tuple(column[at] for column in cells),
        )
        for at, row in enumerate(table.rows)
    )
    shown = drawn(outcome)
    axes = axes_of(table, outcome) if shown else ()
    word, kind, cause = _judge(record)
    return SweepPage(
        record=record,
        rows=rows,
        columns=columns,
        shortened=shortened,
        fronts=find_fronts(outcome, numbers),
        axes=axes if len(axes) > 1 else (),
        lines=tuple(
            PointLine(number=numbers[point.name], kind=kind, places=tuple(axis.places[place] for axis in axes))
            for place, (point, kind) in enumerate(shown)
        ),
        alternatives=_alternatives(outcome, numbers),
        left_out=_left_out(outcome, table, numbers),
        drawn=len(shown),
        word=word,
        kind=kind,
        cause=cause,
    )


def title_of(name: str, unit: str) -> str:
    """The name of a quantity with its unit."""
    return name.removeprefix("resources.") + ("" if unit in {"", "count", "fraction"} else f" [{unit_text(unit)}]")


def _kinds(outcome: Outcome) -> dict[str, str]:
    kinds = {point.name: DOMINATED if outcome.objectives else "" for point in outcome.points}
    kinds |= {point.name: PARETO for point in outcome.pareto} if outcome.objectives else {}
    if outcome.recommendation is not None:
        kinds[outcome.recommendation.point] = RECOMMENDED
    return kinds


def _columns(
    table: SweepTable, objectives: tuple[Objective, ...]
) -> tuple[tuple[NumberColumn, ...], list[list[FoundQuantity | None]], bool]:
    """The objectives, then every other quantity at the latest stage; cells by column and row; whether some lack."""
    columns = [
        NumberColumn(title=f"{title_of(one.metric.name, one.metric.unit)}, {one.metric.stage}", objective=True)
        for one in objectives
    ]
    cells = [[one.metric.of(row) for row in table.rows] for one in objectives]
    found = [latest(row) for row in table.rows]
    known = {(one.metric.name, one.metric.stage) for one in objectives}
    compared = {name for name, _ in known}
    later = {item.name for items in found for item in items.values() if (item.name, item.stage) not in known}
    others = sorted(later, key=lambda name: (name.count("."), name))
    if objectives and (len(others) + len(table.keys)) * len(table.rows) > _MOST_CELLS:
        return tuple(columns), cells, True
    for name in others:
        column = [items.get(name) for items in found]
        units = {item.unit for item in column if item is not None}
        title = title_of(name, units.pop() if len(units) == 1 else "")
        columns.append(NumberColumn(title=f"{title}, latest" if name in compared else title))
        cells.append(column)
    return tuple(columns), cells, False


def _alternatives(outcome: Outcome, numbers: Mapping[str, int]) -> tuple[Alternative, ...]:
    """The recommended point, then of each objective the best point of the Pareto set that is another one."""
    if outcome.recommendation is None:
        return ()
    chosen = next(point for point in outcome.pareto if point.name == outcome.recommendation.point)
    found: dict[str, tuple[list[str], Scored]] = {}
    for at, objective in enumerate(outcome.objectives):
        best = min(outcome.pareto, key=lambda point: objective.cost(point.values[at]))
        if best.values[at] != chosen.values[at]:
            title = f"{objective.best} {title_of(objective.metric.name, '')}"
            found.setdefault(best.name, ([], best))[0].append(title)
    return (
        Alternative(title="recommended", number=numbers[chosen.name], values=chosen.values, changes=()),
        *(
            Alternative(
                title=", ".join(titles),
                number=numbers[point.name],
                values=point.values,
                changes=tuple(
                    (mine - theirs) / theirs if theirs else None
                    for mine, theirs in zip(chosen.values, point.values, strict=True)
                ),
            )
            for titles, point in found.values()
        ),
    )


def _left_out(outcome: Outcome, table: SweepTable, numbers: Mapping[str, int]) -> tuple[ReasonGroup, ...]:
    """The reasons, with their points: failures first, then what was stopped, then what cannot be compared."""
    groups: dict[str, list[int]] = {}
    for one in outcome.left_out:
        groups.setdefault(" ".join(one.reason.split()), []).append(numbers[one.name])
    rank = {"failed": 0, "interrupted": 1, "stopped": 2, "ok": 3}
    ordered = sorted(groups.items(), key=lambda group: rank[table.rows[group[1][0]].status])
    return tuple(ReasonGroup(reason=reason, points=tuple(points)) for reason, points in ordered)


def _judge(record: SweepRecord) -> tuple[str, str, str]:
    table, outcome = record.results.table, record.results.outcome
    statuses = Counter(row.status for row in table.rows)
    ended = ", ".join(
        f"{statuses[name]} {name}" for name in ("ok", "failed", "interrupted", "stopped") if statuses[name]
    )
    texts = [f"{counted(len(table.rows))}: {ended or 'none'}"]
    if outcome.objectives:
        texts.append(f"{len(outcome.pareto)} of {number(len(outcome.points))} compared ones are in the Pareto set")
    cause = "; ".join(texts)
    if record.status == "interrupted" or statuses["interrupted"]:
        return "interrupted", "warning", cause
    if statuses["failed"]:
        return ("failed", "bad", cause) if not statuses["ok"] else ("swept, with failures", "warning", cause)
    return "swept", "good" if statuses["ok"] else "warning", cause
