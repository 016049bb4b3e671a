"""Shared parts of the plots: drawn points, kinds and colours, tooltips. Pure.

A plot is described in Vega-Lite, as plain values. Fields have names of our own (s0, v0), since keys and metrics hold
dots and brackets, which are paths in Vega-Lite's field names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from bskernel.sweeps.analysis.analysis_types import Objective, Outcome, Scored
from bskernel.sweeps.analysis.table import SweepTable, value_text

Spec: TypeAlias = dict[str, Any]
MOST = 1000  # drawn points besides the Pareto set; more are a grey cloud and a slow file
DOMINATED, PARETO, RECOMMENDED = "dominated", "Pareto set", "recommended"
# Distinguishable for the colour-blind and in print: size and darkness differ too.
KINDS = {DOMINATED: ("#b5b5b5", 35), PARETO: ("#d55e00", 80), RECOMMENDED: ("#0072b2", 180)}
CONFIG: Spec = {"background": "white", "view": {"stroke": "#dddddd"}, "axis": {"grid": True, "gridColor": "#eeeeee"}}
WIDE = 100  # the ratio of largest to smallest from which an axis is logarithmic


def text_of(value: Any) -> str:
    """A setting as a label."""
    return "not set" if value is None else value_text(value)


def axis_title(objective: Objective) -> str:
    """The metric with its unit, stage, and which direction is better."""
    metric = objective.metric
    unit = "" if metric.unit in {"", "count"} else f" [{metric.unit}]"
    return f"{metric.name}{unit}, {metric.stage} ({'higher' if objective.sense == 'maximize' else 'lower'} is better)"


def is_wide(values: Sequence[float]) -> bool:
    """Do these numbers need a logarithmic axis?"""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= WIDE


def drawn(outcome: Outcome) -> tuple[tuple[Scored, str], ...]:
    """The points to draw with their kinds: dominated ones first, so that the others lie above them.

    Of more than MOST dominated points a regular sample is drawn.
    """
    best = {point.name for point in outcome.pareto}
    behind = [point for point in outcome.points if point.name not in best]
    every = -(-len(behind) // MOST) or 1
    chosen = outcome.recommendation.point if outcome.recommendation else None
    return (
        *((point, DOMINATED) for point in behind[::every]),
        *((point, PARETO) for point in outcome.pareto if point.name != chosen),
        *((point, RECOMMENDED) for point in outcome.pareto if point.name == chosen),
    )


def records(table: SweepTable, outcome: Outcome) -> list[Spec]:
    """A record for each point that is drawn: name n, kind k, numbers v0..., settings s0..."""
    settings = {row.name: row.settings for row in table.rows}
    return [
        {
            "n": point.name,
            "k": kind,
            **{f"v{at}": value for at, value in enumerate(point.values)},
            **{f"s{at}": text_of(settings[point.name].get(key)) for at, key in enumerate(table.keys)},
        }
        for point, kind in drawn(outcome)
    ]


def tooltip(table: SweepTable, outcome: Outcome) -> list[Spec]:
    """Name, settings and numbers."""
    return [
        {"field": "n", "type": "nominal", "title": "point"},
        *({"field": f"s{at}", "type": "nominal", "title": key} for at, key in enumerate(table.keys)),
        *(
            {"field": f"v{at}", "type": "quantitative", "title": str(objective.metric), "format": ",.6~g"}
            for at, objective in enumerate(outcome.objectives)
        ),
    ]


def kind_scale(at: int) -> Spec:
    """The scale from kinds to colours (0) or to sizes (1)."""
    return {"domain": list(KINDS), "range": [look[at] for look in KINDS.values()]}


def title(what: str, table: SweepTable, outcome: Outcome) -> Spec:
    """The title, and below it what is drawn and what is not, and warnings."""
    shown = len(drawn(outcome))
    lines = [f"{len(outcome.pareto)} of {len(outcome.points)} compared points are in the Pareto set"]
    if shown < len(outcome.points):
        lines.append(f"drawn: {shown} points, all of the Pareto set and some of those that are dominated")
    if outcome.left_out:
        lines.append(f"left out: {len(outcome.left_out)} points that failed, lack a number or violate a condition")
    lines += outcome.warnings
    return {
        "text": f"{table.name}: {what}",
        "subtitle": lines,
        "anchor": "start",
        "subtitleColor": "#c00000" if outcome.warnings else "#555555",
    }
