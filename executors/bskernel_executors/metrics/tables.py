"""Show the results of analyses to people: tables, and a few lines. Pure."""

from __future__ import annotations

from typing import Any, TypeAlias

from bskernel_executors.metrics.breakdown import Breakdown, FoldingStep
from bskernel_executors.metrics.comparison import BuildComparison
from bskernel_executors.metrics.headroom import Headroom
from bskernel_executors.metrics.roofline import Bounds
from bskernel_executors.metrics.utilization import DEVICE_RESOURCES
from bskernel_executors.sdk import StepFailure

Lines: TypeAlias = list[tuple[str, str, str]]  # label, value, note
Shown: TypeAlias = tuple[list[dict[str, Any]], Lines]


def _number(value: float | None, pattern: str = ",.6g") -> str:
    return "" if value is None else format(value, pattern)


def _table(title: str, columns: list[str], rows: list[list[str]]) -> dict[str, Any]:
    return {"title": title, "columns": columns, "rows": rows}


def _change(step: FoldingStep) -> str:
    return f"{step.parameter} {step.value} -> {step.next_value}"


def show_breakdown(found: Breakdown) -> Shown:
    """Show each layer's cycles, the pace, the target and the next folding."""
    lines: Lines = []
    if found.interval_cycles is not None:
        faster = f"; {found.next_layer} is {found.next_ratio:.3g} x as fast" if found.next_ratio else ""
        lines.append(("slowest", ", ".join(found.bottlenecks), f"{found.interval_cycles} cycles per frame{faster}"))
    if found.throughput_fps is not None:
        meets = f"{'meets' if found.meets_target else 'misses'} target_fps {found.target_fps:,}"
        note = meets if found.target_fps is not None else ""
        lines.append(("throughput limit", f"{found.throughput_fps:,.6g} inferences/s", note))
    if found.proposed_throughput_fps is not None:
        changes = ", ".join(f"{step.layer} {_change(step)}" for step in found.proposal)
        lines.append(("next folding", changes, f"{found.proposed_throughput_fps:,.6g} inferences/s"))
    steps: dict[str, list[str]] = {}
    for step in found.steps:
        steps.setdefault(step.layer, []).append(_change(step))
    rows = [
        [
            layer.name,
            str(layer.cycles),
            f"{layer.share:.1%}",
            f"{layer.busy:.1%}",
            "; ".join(steps.get(layer.name, ())),
        ]
        for layer in found.layers
    ]
    columns = ["layer", "cycles", "of all", "busy", "next folding"]
    return [_table("cycles per frame", columns, rows)], lines


def show_headroom(found: Headroom) -> Shown:
    """Show each resource at each stage, and the one that runs out first."""
    lines: Lines = []
    if found.binding is not None:
        fits = _number(found.use(found.binding).fits, ",.4g")
        within = f" within {100 * found.limit:.3g}%" if found.limit < 1 else ""
        note = f"the device has {fits} x as much; {found.copies:,} designs fit{within}"
        lines.append(("runs out first", found.binding, note))
    rows = [
        [
            use.resource,
            use.stage,
            _number(use.used, ",.10g"),
            _number(use.available, ","),
            _number(use.fraction, ".2%"),
            _number(use.left, ",.10g"),
        ]
        for use in found.resources
    ]
    columns = ["resource", "stage", "used", "available", "share", "left"]
    tables = [_table("headroom", columns, rows)]
    for stage in dict.fromkeys(layer.stage for layer in found.layers):
        layers = [layer for layer in found.layers if layer.stage == stage]
        names = [name for name in DEVICE_RESOURCES if any(name in layer.used for layer in layers)]
        rows = [
            [layer.name, *(f"{layer.used[name]:,.10g}" if name in layer.used else "" for name in names)]
            for layer in layers
        ]
        tables.append(_table(f"resources of the layers, {stage}", ["layer", *names], rows))
    return tables, lines


def describe_excess(found: Headroom) -> StepFailure | None:
    """Make the failure (resource) of a design above the limit, with its largest layers; None if it is below."""
    if not found.exceeding:
        return None
    texts, cause = [], []
    for resource in found.exceeding:
        use = found.use(resource)
        share = f" ({use.fraction:.1%})" if use.fraction is not None else ""
        texts.append(f"{resource} {use.used:,.10g} of {use.available:,}{share}")
        cause += [
            f"{resource}: {layer.name} uses {layer.used[resource]:,.10g} ({layer.stage})"
            for layer in found.largest(resource)
        ]
    limit = f"{100 * found.limit:.3g}%"
    return StepFailure(
        category="resource",
        message=f"the design uses more than {limit} of the device: {', '.join(texts)} [{found.judged}]",
        cause=tuple(cause),
        hint="reduce PE and SIMD of the largest layers, put their weights into another memory, or use a larger part",
    )


def show_bounds(found: Bounds) -> Shown:
    """Show the roofs of each layer and of the design."""
    rows = [
        [
            layer.name,
            _number(layer.intensity, ".4g"),
            _number(layer.peak_gops, ".4g"),
            _number(layer.attainable_gops, ".4g"),
            _number(layer.attainable_fps),
            layer.bound,
        ]
        for layer in found.layers
    ]
    columns = ["layer", "operations/byte", "peak Gop/s", "attainable Gop/s", "attainable inferences/s", "bound by"]
    note = f"{_number(found.attainable_gops, '.4g')} of {_number(found.peak_gops, '.4g')} Gop/s"
    lines = [
        ("bound", ", ".join(found.bounds), ""),
        ("attainable", f"{found.attainable_fps:,.6g} inferences/s", note),
    ]
    return [_table("roofline", columns, rows)], lines


def show_comparison(found: BuildComparison) -> Shown:
    """Show each quantity and stage of both builds, and what only one of them has."""
    rows = [
        [
            value.quantity,
            f"{value.stage} {value.source}" if value.source else value.stage,
            _number(value.ours) or "absent",
            _number(value.theirs) or "absent",
            _number(value.ratio, ".4g"),
            value.unit,
        ]
        for value in found.values
    ]
    columns = ["quantity", "stage", "ours", "theirs", "ratio", "unit"]
    only = (("only in this build", found.only_ours), ("only in baseline", found.only_theirs))
    lines = [(label, ", ".join(names), "") for label, names in only if names]
    return [_table("comparison with the baseline", columns, rows)], lines
