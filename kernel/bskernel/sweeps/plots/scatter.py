"""The Pareto set among all points, two objectives at a time. Pure."""

from __future__ import annotations

from itertools import combinations

from bskernel.sweeps.analysis.analysis_types import Objective, Outcome
from bskernel.sweeps.analysis.table import SweepTable
from bskernel.sweeps.plots.plot_data import (
    CONFIG,
    DOMINATED,
    KINDS,
    Spec,
    axis_title,
    is_wide,
    kind_scale,
    records,
    title,
    tooltip,
)

SIDE = {2: 440, 3: 340}  # side of a plot in pixels, by number of objectives
COLUMNS = 2


def scatter(table: SweepTable, outcome: Outcome) -> Spec:
    """One plot per pair of objectives, with the earlier one upwards.

    With two objectives a stepped line bounds what the Pareto set dominates. With more there is none: a point that is
    in the set for the sake of a third objective may lie anywhere.
    """
    objectives = outcome.objectives
    pairs = list(combinations(range(len(objectives)), 2))
    plots = [_pair(table, outcome, upwards, across, stepped=len(pairs) == 1) for upwards, across in pairs]
    body: Spec = plots[0] if len(plots) == 1 else {"concat": plots, "columns": COLUMNS}
    return {
        "title": title("Pareto set", table, outcome),
        "config": CONFIG,
        "data": {"name": "points", "values": records(table, outcome)},
        **body,
    }


def _axis(outcome: Outcome, at: int, objective: Objective) -> Spec:
    scale: Spec = {"zero": False, "nice": True}
    if is_wide([point.values[at] for point in outcome.points]):
        scale = {"type": "log"}
    return {
        "field": f"v{at}",
        "type": "quantitative",
        "title": axis_title(objective),
        "scale": scale,
        "axis": {"format": "~s"} if scale.get("type") != "log" else {"format": "~s", "tickCount": 6},
    }


def _pair(table: SweepTable, outcome: Outcome, upwards: int, across: int, *, stepped: bool) -> Spec:
    side = SIDE.get(len(outcome.objectives), 280)
    place = {
        "x": _axis(outcome, across, outcome.objectives[across]),
        "y": _axis(outcome, upwards, outcome.objectives[upwards]),
    }
    kind: Spec = {"field": "k", "type": "ordinal", "sort": list(KINDS), "title": None}
    points: Spec = {
        "mark": {"type": "point", "filled": True, "opacity": 1, "fillOpacity": 0.85},
        "encoding": {
            **place,
            "color": {**kind, "scale": kind_scale(0)},
            "size": {**kind, "scale": kind_scale(1)},
            "tooltip": tooltip(table, outcome),
        },
    }
    layers = [*([_front(place, outcome.objectives[across], across)] if stepped else []), points]
    return {"width": side, "height": side * 3 // 4, "layer": layers}


def _front(place: Spec, across: Objective, at: int) -> Spec:
    # The line bounds the dominated area: it steps after a point if the x axis is minimized, else before it.
    shape = "step-after" if across.sense == "minimize" else "step-before"
    return {
        "transform": [{"filter": f"datum.k !== '{DOMINATED}'"}],
        "mark": {"type": "line", "interpolate": shape, "color": "#d55e00", "strokeOpacity": 0.6},
        "encoding": {**place, "order": {"field": f"v{at}", "type": "quantitative"}},
    }
