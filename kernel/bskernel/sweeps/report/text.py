"""A sweep's results as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bskernel.config import Loop
from bskernel.report.terminal import aligned
from bskernel.sweeps.analysis.analysis_types import Best, LeftOut, Outcome, Results, Scored
from bskernel.sweeps.analysis.metric import latest, shown
from bskernel.sweeps.analysis.repetitions import Repetition
from bskernel.sweeps.analysis.table import Row, SweepTable, counted, settings_text, value_text
from bskernel.sweeps.results.sweep_result import SweepResult

MANY = 40  # rows of a table on a terminal
FEW = 3  # names of points in one line


def as_text(results: Results, *, recommends: bool = True) -> str:
    """The points, the Pareto set, the best of each objective, the recommendation, and the points left out."""
    table, outcome = results.table, results.outcome
    counts = Counter(row.status for row in table.rows)
    summary = ", ".join(f"{count} {status}" for status, count in counts.items())
    lines = [f"{table.name}: {counted(len(table.rows))}: {summary or 'none'}", *outcome.warnings]
    lines += _indented(_points(table, outcome))
    lines += _pareto(table, outcome)
    if outcome.best:
        lines += ["best", *_indented(_best(outcome.best))]
    lines += _recommendation(table, outcome) if recommends else []
    if outcome.left_out:
        lines.append(f"left out: {counted(len(outcome.left_out))}")
        lines += _indented(_left_out(outcome.left_out))
    return "\n".join(lines) + "\n"


def repetition_text(result: SweepResult, loop: Loop) -> str:
    """The rounds of each point with the metrics that the loop shows, and whether its condition holds in the end.

    A metric with an estimate is ESTIMATE -> LATEST, if they differ.
    """
    rows = {row.name: row for row in result.table.rows}
    lines = [f"{result.table.name}: {loop.summary}"]
    for one in result.repetitions:
        if one.settings:
            lines.append(settings_text(one.settings))
        rounds = [rows[name] for name in one.points]
        names = sorted({item.name for row in rounds for item in row.quantities if _is_shown(item.name, loop)})
        cells = [("round", "point", *names)]
        for at, row in enumerate(rounds, start=1):
            cells.append((str(at), row.name, *(_change(row, name) for name in names)))
        lines += _indented(cells)
        lines.append(f"{one.loop}: {_ending(one)}")
        if one.ended == "met":
            lines.append(f"    {rows[one.points[-1]].directory}")
    return "\n".join(lines) + "\n"


def _is_shown(name: str, loop: Loop) -> bool:
    return name in loop.show or name.partition(".")[0] in loop.show


def _change(row: Row, name: str) -> str:
    found = [item for item in row.quantities if item.name == name]
    estimate = next((shown(item.value) for item in found if item.stage == "estimate"), None)
    newest = latest(row).get(name)
    if newest is None:
        return "-"
    now = shown(newest.value)
    return now if estimate in {None, now} else f"{estimate} -> {now}"


def _ending(one: Repetition) -> str:
    number = counted(len(one.points), "round")
    if one.ended == "met":
        return f"{one.until} holds after {number}"
    why = {
        "rounds": f"DOES NOT HOLD after {number}, the most that are allowed ([sweep] rounds): {one.reason}",
        "unchanged": f"DOES NOT HOLD, and the last of {number} found out nothing new: {one.reason}",
        "failed": f"NOT KNOWN, because round {len(one.points)} failed: {one.reason}",
        "unjudged": f"NOT KNOWN after {number}: {one.reason}",
        "interrupted": f"NOT KNOWN, because round {len(one.points)} was interrupted",
    }
    return f"{one.until}: {why[one.ended]}"


def effort_text(result: SweepResult) -> str:
    """How many steps there were, ran and were shared, why points failed, and the output folder."""
    return "\n".join([counts_text(result), *why_lines(result), f"results in {result.directory}"])


def counts_text(result: SweepResult) -> str:
    """How many steps there were, ran and were shared."""
    counts = result.counts
    effort = (
        f"{counts.steps} steps, {counts.shared} of them shared",
        f"{counts.actions} distinct actions",
        f"{counts.ran} ran, {counts.recalled} recalled",
        *([f"{counts.nodes_failed} failed"] if counts.nodes_failed else []),
        *([f"{counts.skipped} not started"] if counts.skipped else []),
    )
    return f"{'; '.join(effort)}; {result.seconds:.2f} s"


def outcome_text(result: SweepResult) -> str:
    """What --quiet leaves: how to see why points failed, and the output folder."""
    return "\n".join([*why_lines(result), str(result.directory)])


def why_lines(result: SweepResult) -> list[str]:
    """How to see why points failed; none if none did."""
    failed = next((row.directory for row in result.table.rows if row.status == "failed" and row.directory), None)
    return [f"why points failed: bskernel explain {failed}"] if failed is not None else []


def _indented(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    shown = rows[: MANY + 1]
    more = len(rows) - len(shown)
    return [*(f"    {line}" for line in aligned(shown)), *([f"    and {more} more"] if more else [])]


def _line(text: str) -> str:
    return " ".join(text.split())


def _setting(value: Any) -> str:
    return "-" if value is None else value_text(value)


def _settings(row: Row, table: SweepTable) -> list[str]:
    return [_setting(row.settings.get(key)) for key in table.keys]


def _points(table: SweepTable, outcome: Outcome) -> list[tuple[str, ...]]:
    """Every point with its objectives; without objectives, with all numbers at their latest stages."""
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
        stand_in = ["stand-in"] if point.stand_in else []
        others = [f"and {more[point.values] - 1} with the same numbers"] if more[point.values] > 1 else []
        values = [shown(value) for value in point.values]
        return (point.name, *values, *_settings(rows[point.name], table), ", ".join([*others, *stand_in]))

    head = ("point", *(str(objective.metric) for objective in outcome.objectives), *table.keys, "")
    ordered = sorted(outcome.pareto, key=lambda point: first.cost(point.values[0]))
    more = Counter(point.values for point in ordered)
    alike = {point.values: point for point in reversed(ordered)}  # the first of points with equal numbers
    cells_shown = [cells(point) for point in ordered if alike[point.values] is point]
    title = f"Pareto set: {len(outcome.pareto)} of {counted(len(outcome.points))}"
    goals = "; ".join(map(str, outcome.objectives))
    return [f"{title} ({goals})", *_indented([head, *cells_shown] if cells_shown else [])]


def _best(bests: Sequence[Best]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("objective", "condition", "points", "best", "value", "costs", "")]
    for best in bests:
        keeping = " and ".join(best.keeping) or "(any)"
        value = "-" if best.value is None else shown(best.value) + ("" if best.unit == "count" else f" {best.unit}")
        costs = "" if not best.change else f"{100 * best.change:+.3g} %"
        stand_in = "stand-in" if best.stand_in else ""
        rows.append((best.objective, keeping, str(best.of), best.point or "none", value, costs, stand_in))
    return rows


def _left_out(points: Sequence[LeftOut]) -> list[tuple[str, ...]]:
    """One line per reason, with the points left out for it."""
    names: dict[str, list[str]] = {}
    for one in points:
        names.setdefault(_line(one.reason), []).append(one.name)
    return [(_some(found), reason) for reason, found in names.items()]


def _some(names: Sequence[str]) -> str:
    more = [f"and {len(names) - FEW} more"] if len(names) > FEW else []
    return ", ".join([*names[:FEW], *more])


def _recommendation(table: SweepTable, outcome: Outcome) -> list[str]:
    chosen = outcome.recommendation
    if chosen is None:
        return ["recommended: none, no points to compare"] if outcome.objectives else []
    row = next(row for row in table.rows if row.name == chosen.point)
    lines = [f"recommended: {chosen.point}: {settings_text(row.settings)}", f"    {chosen.reason}"]
    if chosen.same:
        lines.append(f"    equal numbers: {_some(chosen.same)}")
    return [*lines, f"    by the {chosen.method}"]
