"""The end of a sweep for a person at a terminal: the points, then a box with the recommended one."""

from __future__ import annotations

import shlex
import textwrap
from pathlib import Path

from bskernel.report.colours import lines_of
from bskernel.report.human_units import humane
from bskernel.report.result_summary import BoxRow, draw_box, short_path
from bskernel.report.styled_text import Line
from bskernel.sweeps.analysis.analysis_types import Results
from bskernel.sweeps.analysis.metric import shown
from bskernel.sweeps.analysis.table import value_text
from bskernel.sweeps.report.text import as_text, counts_text, why_lines
from bskernel.sweeps.results.sweep_result import SweepResult


def sweep_lines(
    results: Results, result: SweepResult, columns: int, here: Path, *, unicode: bool = True
) -> list[Line]:
    """The end of a sweep in so many columns. The last line is the command that makes its pages."""
    lines = lines_of(as_text(results, recommends=False).rstrip("\n"))
    chosen = results.outcome.recommendation
    if chosen is not None:
        lines += draw_box(_rows(results), columns, unicode=unicode)
        reason = f"{chosen.reason} By the {chosen.method}."
        lines += [((text, "faint"),) for text in textwrap.wrap(reason, max(20, min(columns, 100)))]
    elif results.outcome.objectives:
        lines += lines_of("recommended: none, no points to compare")
    lines += [((counts_text(result), "faint"),), *lines_of("\n".join(why_lines(result)))]
    where = short_path(result.directory, here)
    name = shlex.quote(where)
    lines.append((("results  ", "faint"), (where, "")))
    lines.append((("page     ", "faint"), (f"bskernel report {name} --open", "")))
    return [line for line in lines if any(text for text, _ in line)]


def _rows(results: Results) -> list[BoxRow]:
    """The recommended point: its name, settings, and the number of each objective."""
    chosen = results.outcome.recommendation
    if chosen is None:
        return []
    row = next(row for row in results.table.rows if row.name == chosen.point)
    rows = [BoxRow(label="recommended", value=row.name)]
    rows += [BoxRow(label=key, value=value_text(value)) for key, value in row.settings.items()]
    for objective in results.outcome.objectives:
        found = objective.metric.of(row)
        if found is not None:
            unit = "" if found.unit == "count" else f" {found.unit}"
            text = humane(f"{shown(found.value)}{unit}")
            rows.append(BoxRow(label=objective.metric.name, value=text, note=f"{found.stage}, {objective.sense}d"))
    if chosen.same:
        rows.append(BoxRow(label="equal numbers", value=f"{len(chosen.same)} more points"))
    return rows
