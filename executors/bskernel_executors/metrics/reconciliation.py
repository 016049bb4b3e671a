"""Compare the numbers of later stages with the estimates. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from bskernel_executors.exchange.coverage_texts import format_share
from bskernel_executors.metrics.model import STAND_IN, BuildMetrics, ReconciledQuantity, Stage, Value

STAGES: tuple[Stage, ...] = get_args(Stage)
# Quantities that do not depend on how much of the network is in hardware.
_OF_NO_PART = frozenset({"accuracy", "clock", "worst slack"})


def reconcile(quantities: Mapping[str, Sequence[Value]]) -> tuple[ReconciledQuantity, ...]:
    """Set each quantity's stages side by side; empty when all values are of one stage.

    Numbers of the stand-in are of other designs, so they are left out.
    """
    rows = []
    for name, given in quantities.items():
        values = [value for value in given if not value.is_stand_in]
        found = {value.stage: value.value for value in values}
        if not found:
            continue
        estimate = found.get("estimate")
        ratios: dict[Stage, float] = {}
        if estimate:
            ratios.update((stage, value / estimate) for stage, value in found.items() if stage != "estimate")
        rows.append(ReconciledQuantity(quantity=name, unit=values[0].unit, values=found, ratios=ratios))
    return tuple(rows) if len({stage for row in rows for stage in row.values}) > 1 else ()


def describe_part(metrics: BuildMetrics) -> str:
    """Return of which part of the network the numbers are, for people; nothing if it is the whole, or unknown."""
    share = metrics.hardware_share
    return "" if share is None or share == 1 else f"of {format_share(share)} of the network's MACs"


def _number(value: float) -> str:
    return f"{value:,.10g}"


def make_reconciliation_table(metrics: BuildMetrics) -> dict[str, Any] | None:
    """Make a table for people, or None when there is nothing to compare.

    Numbers in brackets are multiples of the estimate. The share of the device is that of the latest stage.
    """
    rows = metrics.reconciliation
    if not rows:
        return None
    stages = [stage for stage in STAGES if any(stage in row.values for row in rows)]
    cells = []
    for row in rows:
        line = [row.quantity, row.unit]
        for stage in stages:
            value, ratio = row.values.get(stage), row.ratios.get(stage)
            text = "" if value is None else _number(value)
            line.append(text if ratio is None else f"{text} ({ratio:.3g}x)")
        # The share of block RAM counts both sizes together and is shown beside the smaller one.
        of_device = metrics.utilization.get(_device_name(row.quantity, metrics.device), ())
        shares = {share.stage: share.value for share in of_device if not share.is_stand_in}
        latest = next((shares[stage] for stage in reversed(stages) if stage in shares), None)
        cells.append([*line, "" if latest is None else f"{latest:.2%}"])
    columns = ["quantity", "unit", *stages, "of the device"]
    if not metrics.utilization:
        columns, cells = columns[:-1], [line[:-1] for line in cells]
    part = describe_part(metrics)
    title = "estimate and later stages (multiple of the estimate)" + (f", {part}" if part else "")
    return {"title": title, "columns": columns, "rows": cells}


def _device_name(quantity: str, device: Mapping[str, int]) -> str:
    smallest = "BRAM_4K" if device.get("BRAM_4K") else "BRAM_18K"
    return "BRAM" if quantity == smallest else quantity


def _shown(value: Value) -> str:
    if value.unit == "fraction":
        return f"{value.value:.2%}"
    return _number(value.value) + ("" if value.unit == "count" else f" {value.unit}")


def make_summary_rows(metrics: BuildMetrics) -> list[dict[str, str]]:
    """Make the rows of the summary, without the numbers in the reconciliation table."""
    rows = []
    quantities = {
        "throughput": metrics.throughput,
        "latency": metrics.latency,
        "clock": metrics.clock,
        "power": metrics.power,
        "accuracy": metrics.accuracy,
        "worst slack": metrics.slack,
        "FIFO memory": metrics.fifo_memory,
        **metrics.resources,
    }
    tabled = {(row.quantity, stage, value) for row in metrics.reconciliation for stage, value in row.values.items()}
    shares = {(name, value.source): value for name, values in metrics.utilization.items() for value in values}
    part = describe_part(metrics)
    for label, values in quantities.items():
        of_network = f", {part}" if part and label not in _OF_NO_PART else ""
        for value in values:
            if (label, value.stage, value.value) in tabled:
                continue
            share = shares.get((_device_name(label, metrics.device), value.source))
            of_device = f" ({share.value:.2%} of the device)" if share is not None else ""
            note = f"{STAND_IN}, not hardware" if value.is_stand_in else f"{value.stage}{of_network}"
            rows.append({"label": label, "value": f"{_shown(value)}{of_device}", "note": note})
    if metrics.bottleneck:
        cycles = next((layer.cycles for layer in metrics.layers if layer.bottleneck), None)
        rows.append(
            {"label": "bottleneck", "value": metrics.bottleneck, "note": f"{cycles} cycles" if cycles else ""}
        )
    rows += [{"label": "warning", "value": text, "note": ""} for text in metrics.warnings]
    return rows
