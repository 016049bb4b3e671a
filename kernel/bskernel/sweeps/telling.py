"""A sweep's results as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel.report.terminal import aligned
from bskernel.sweeps.metric import latest, shown
from bskernel.sweeps.outcome import Best, Goals, Outcome, Scored
from bskernel.sweeps.table import Row, SweepTable

MANY = 40  # rows of a table that a terminal is given


def as_json(table: SweepTable, goals: Goals, outcome: Outcome) -> str:
    """All of it."""
    return pretty_json({"table": table, "goals": goals, "outcome": outcome})


def as_text(table: SweepTable, outcome: Outcome) -> str:
    """The points, the Pareto set, the best of each objective, a recommendation, and what was left out."""
    counts = Counter(row.status for row in table.rows)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    lines = [f"{table.name}: {len(table.rows)} points: {told or 'none'}", *outcome.warnings]
    lines += _indented(_points(table, outcome))
    lines += _pareto(table, outcome)
    if outcome.best:
        lines += ["best", *_indented(_best(outcome.best))]
    lines += _recommendation(table, outcome)
    if outcome.left_out:
        lines.append(f"left out: {len(outcome.left_out)} points")
        lines += _indented([(one.name, _line(one.reason)) for one in outcome.left_out])
    return "\n".join(lines) + "\n"


def _indented(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    shown = rows[: MANY + 1]
    more = len(rows) - len(shown)
    return [*(f"    {line}" for line in aligned(shown)), *([f"    and {more} more"] if more else [])]


def _line(text: str) -> str:
    return " ".join(text.split())


def _setting(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _settings(row: Row, table: SweepTable) -> list[str]:
    return [_setting(row.settings.get(key)) for key in table.keys]


def _points(table: SweepTable, outcome: Outcome) -> list[tuple[str, ...]]:
    """Every point; of numbers the objectives', or all at their latest stages where there are none."""
    if outcome.objectives:
        heads = [str(objective.metric) for objective in outcome.objectives]
        numbers = [[objective.metric.of(row) for objective in outcome.objectives] for row in table.rows]
    else:
        found = [latest(row) for row in table.rows]
        heads = sorted({name for row in found for name in row})
        numbers = [[row.get(name) for name in heads] for row in found]
    marks = {point.name: "pareto" for point in outcome.pareto}
    if outcome.recommendation is not None:
        marks[outcome.recommendation.point] = "recommended"
    rows = [("point", "status", "", *table.keys, *heads)]
    for row, items in zip(table.rows, numbers, strict=True):
        cells = ["-" if item is None else shown(item.value) for item in items]
        rows.append((row.name, row.status, marks.get(row.name, ""), *_settings(row, table), *cells))
    return rows


def _pareto(table: SweepTable, outcome: Outcome) -> list[str]:
    if not outcome.objectives:
        return []
    first = outcome.objectives[0]
    rows = {row.name: row for row in table.rows}

    def cells(point: Scored) -> tuple[str, ...]:
        stand_in = "stand-in" if point.stand_in else ""
        values = [shown(value) for value in point.values]
        return (point.name, *values, *_settings(rows[point.name], table), stand_in)

    head = ("point", *(str(objective.metric) for objective in outcome.objectives), *table.keys, "")
    ordered = sorted(outcome.pareto, key=lambda point: first.cost(point.values[0]))
    title = f"Pareto set: {len(outcome.pareto)} of {len(outcome.points)} points"
    goals = "; ".join(map(str, outcome.objectives))
    return [f"{title} ({goals})", *_indented([head, *map(cells, ordered)] if ordered else [])]


def _best(bests: Sequence[Best]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("objective", "of points that keep", "points", "best", "value", "costs", "")]
    for best in bests:
        keeping = " and ".join(best.keeping) or "(any)"
        value = "-" if best.value is None else shown(best.value) + ("" if best.unit == "count" else f" {best.unit}")
        costs = "" if not best.change else f"{100 * best.change:+.3g} %"
        stand_in = "stand-in" if best.stand_in else ""
        rows.append((best.objective, keeping, str(best.of), best.point or "none", value, costs, stand_in))
    return rows


def _recommendation(table: SweepTable, outcome: Outcome) -> list[str]:
    chosen = outcome.recommendation
    if chosen is None:
        return ["recommended: none: no point is left to compare"] if outcome.objectives else []
    row = next(row for row in table.rows if row.name == chosen.point)
    settings = ", ".join(f"{key} = {_setting(value)}" for key, value in row.settings.items())
    lines = [f"recommended: {chosen.point}: {settings}", f"    {chosen.reason}"]
    if chosen.same:
        lines.append(f"    the same numbers: {', '.join(chosen.same)}")
    return [*lines, f"    by the {chosen.method}"]
