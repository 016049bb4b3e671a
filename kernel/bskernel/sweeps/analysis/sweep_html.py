"""The points of a sweep as a notebook shows them. Pure."""

from __future__ import annotations

from bskernel.core.notebook_html import heading, html_table, lines, paragraph
from bskernel.sweeps.analysis.analysis_types import Results
from bskernel.sweeps.analysis.table import counted, settings_text, value_text


def results_html(results: Results, verdict: str, rest: str = "") -> str:
    """The recommendation, the Pareto set, and what is left out, with reasons."""
    table, outcome = results.table, results.outcome
    chosen = outcome.recommendation
    rows = {row.name: row for row in table.rows}
    shown = outcome.pareto if outcome.objectives else outcome.points
    ordered = sorted(shown, key=lambda point: chosen is None or point.name != chosen.point)
    parts = [heading(f"{table.name}, a sweep", verdict, rest), *(paragraph(text) for text in outcome.warnings)]
    if chosen is not None:
        parts.append(paragraph(f"recommended: {chosen.point}: {settings_text(rows[chosen.point].settings)}"))
        parts.append(paragraph(chosen.reason))
    what = "Pareto set" if outcome.objectives else "points"
    parts.append(
        html_table(
            f"{what}: {len(shown)} of {counted(len(outcome.points))}",
            ("point", *(f"{one.metric} [{one.metric.unit}]" for one in outcome.objectives), *table.keys),
            [
                (point.name, *point.values, *(_setting(rows[point.name].settings.get(key)) for key in table.keys))
                for point in ordered
            ],
        )
    )
    parts.append(lines("left out", [f"{one.name}: {one.reason}" for one in outcome.left_out]))
    return "".join(parts)


def _setting(value: object) -> object:
    return value if value is None or isinstance(value, int | float) else value_text(value)
