"""Settings and numbers of all points as parallel coordinates. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from bskernel.sweeps.analysis.analysis_types import Outcome
from bskernel.sweeps.analysis.metric import shown
from bskernel.sweeps.analysis.table import SweepTable, is_number
from bskernel.sweeps.plots.plot_data import (
    CONFIG,
    DOMINATED,
    KINDS,
    PARETO,
    RECOMMENDED,
    Spec,
    drawn,
    is_wide,
    kind_scale,
    records,
    text_of,
    title,
    tooltip,
)

GAP, HEIGHT = 150, 320  # distance between axes and their height, in pixels
TICKS = 5  # ticks on an axis with many numbers
MANY = 14  # labelled values on an axis
APART = 0.045  # least distance between labels on an axis
_WIDTHS = {DOMINATED: 1.0, PARETO: 1.8, RECOMMENDED: 3.5}


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """An axis: the position of each point from 0 (bottom) to 1 (top), None if missing; and its labels."""

    title: str
    places: tuple[float | None, ...]
    labels: tuple[tuple[float, str], ...]


def numeric_axis(title: str, values: Sequence[float | None], *, reverse: bool = False) -> Axis:
    """An axis of numbers, logarithmic if they span several magnitudes; with `reverse` the smallest is on top."""
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    log = is_wide(known)

    def place(value: float) -> float:
        if low == high:
            return 0.5
        at = math.log(value / low) / math.log(high / low) if log else (value / 2 - low / 2) / (high / 2 - low / 2)
        return round(1 - at if reverse else at, 6)

    different = sorted(set(known))
    if len(different) > MANY:
        steps = [step / (TICKS - 1) for step in range(TICKS)]
        different = [low * (high / low) ** step if log else low + (high - low) * step for step in steps]
        different = [min(max(value, low), high) for value in different]
    return Axis(
        title=title + (" (log)" if log else ""),
        places=tuple(None if value is None else place(value) for value in values),
        labels=_apart([(place(value), shown(value)) for value in different]),
    )


def _apart(labels: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Both ends, and the labels between them that do not overlap."""
    kept = [*labels[:1], *labels[1:][-1:]]
    for label in labels[1:-1]:
        if all(abs(label[0] - other) >= APART for other, _ in kept):
            kept.append(label)
    return tuple(sorted(kept))


def categorical_axis(title: str, values: Sequence[Any], order: Sequence[Any]) -> Axis:
    """An axis of arbitrary values, from the bottom in the order of `order`."""
    texts = [text_of(value) for value in values]
    different = [text for text in dict.fromkeys(map(text_of, order)) if text in texts]
    last = len(different) - 1
    place = {text: round(at / last, 6) if last else 0.5 for at, text in enumerate(different)}
    labels = [(place[text], text if len(text) <= 24 else f"{text[:23]}…") for text in different]
    return Axis(title=title, places=tuple(place[text] for text in texts), labels=_apart(labels))


def axes_of(table: SweepTable, outcome: Outcome) -> tuple[Axis, ...]:
    """The settings that differ between points, then the objectives, each with its better end on top."""
    points = [point for point, _ in drawn(outcome)]
    settings = {row.name: row.settings for row in table.rows}
    axes = []
    for key in table.keys:
        values = [settings[point.name].get(key) for point in points]
        if len({text_of(value) for value in values}) < 2:
            continue
        known = [value for value in values if value is not None]
        numbers = all(is_number(value) and math.isfinite(value) for value in known)
        order = [row.settings.get(key) for row in table.rows]
        axes.append(numeric_axis(key, values) if numbers else categorical_axis(key, values, order))
    for at, objective in enumerate(outcome.objectives):
        unit = "" if objective.metric.unit in {"", "count"} else f" [{objective.metric.unit}]"
        name = f"{objective.metric.name}{unit}"
        reverse = objective.sense == "minimize"
        axes.append(numeric_axis(name, [point.values[at] for point in points], reverse=reverse))
    return tuple(axes)


def parallel(table: SweepTable, outcome: Outcome) -> Spec:
    """One line per point through all axes."""
    axes = axes_of(table, outcome)
    points = records(table, outcome)
    vertices = [
        {"n": point["n"], "k": point["k"], "a": at, "y": axis.places[place]}
        for place, point in enumerate(points)
        for at, axis in enumerate(axes)
    ]
    head = title("settings and objectives", table, outcome)
    return {
        "title": {**head, "subtitle": [*head["subtitle"], "objectives: better end on top"], "offset": 40},
        "config": {**CONFIG, "view": {"stroke": None}},
        "width": GAP * max(len(axes) - 1, 1),
        "height": HEIGHT,
        "datasets": {"points": points, "vertices": vertices},
        "encoding": {
            "x": _across(len(axes)),
            "y": {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [0, 1], "nice": False}},
        },
        "layer": [
            _rules(len(axes)),
            *(_lines(kind, table, outcome) for kind in KINDS),
            *_texts(axes),
        ],
    }


def _across(count: int) -> Spec:
    return {
        "field": "a",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, max(count - 1, 1)], "nice": False},
    }


def _rules(count: int) -> Spec:
    return {
        "data": {"values": [{"a": at, "y": 0, "top": 1} for at in range(count)]},
        "mark": {"type": "rule", "color": "#888888"},
        "encoding": {"y2": {"field": "top"}},
    }


def _lines(kind: str, table: SweepTable, outcome: Outcome) -> Spec:
    details = [key["field"] for key in tooltip(table, outcome) if key["field"] != "n"]
    return {
        "data": {"name": "vertices"},
        "transform": [
            {"filter": f"datum.k === '{kind}'"},
            {"lookup": "n", "from": {"data": {"name": "points"}, "key": "n", "fields": details}},
        ],
        # Not `opacity`: the PNG renderer would compose the whole picture again for each line.
        "mark": {"type": "line", "strokeWidth": _WIDTHS[kind], "strokeOpacity": 0.35 if kind == DOMINATED else 0.9,
                 "invalid": "break-paths-filter-domains"},
        "encoding": {
            "detail": {"field": "n", "type": "nominal"},
            "color": {"field": "k", "type": "nominal", "title": None, "scale": kind_scale(0),
                      "legend": {"orient": "bottom", "offset": 20, "symbolOpacity": 1, "symbolStrokeWidth": 3}},
            "tooltip": tooltip(table, outcome),
        },
    }  # fmt: skip


def _two_lines(title: str) -> str:
    # Broken at the last dot, so that neighbours do not overlap.
    name, gap, rest = title.partition(" ")
    before, dot, last = name.rpartition(".")
    return f"{before}{dot}\n{last}{gap}{rest}" if dot else f"{name}\n{rest}" if rest else f"\n{name}"


def _texts(axes: Sequence[Axis]) -> list[Spec]:
    labels = [{"a": at, "y": y, "t": text} for at, axis in enumerate(axes) for y, text in axis.labels]
    titles = [{"a": at, "y": 1, "t": _two_lines(axis.title)} for at, axis in enumerate(axes)]
    return [
        *(
            {
                "data": {"values": labels},
                "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 10, **look},
                "encoding": {"text": {"field": "t", "type": "nominal"}},
            }
            # A white edge keeps labels legible over lines.
            for look in ({"color": "white", "stroke": "white", "strokeWidth": 3}, {"color": "#333333"})
        ),
        {
            "data": {"values": titles},
            "mark": {
                "type": "text",
                "baseline": "bottom",
                "dy": -24,
                "fontSize": 11,
                "fontWeight": "bold",
                "lineBreak": "\n",
            },
            "encoding": {"text": {"field": "t", "type": "nominal"}},
        },
    ]
