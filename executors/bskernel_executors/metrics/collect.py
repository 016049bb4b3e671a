"""From reports to metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bskernel_executors.metrics.model import BuildMetrics, Layer, Stage, Value
from bskernel_executors.metrics.reports import number

Reports = Mapping[str, Mapping[str, Any]]
_RESOURCES = ("LUT", "FF", "DSP", "BRAM_18K", "BRAM_36K", "URAM", "SRL", "LUTRAM")
# (quantity, report, key, factor to the unit, unit, stage); keys as FINN's code writes them.
_SCALARS: tuple[tuple[str, str, str, float, str, Stage], ...] = (
    ("throughput", "estimate_network_performance.json", "estimated_throughput_fps", 1, "inferences/s", "estimate"),
    ("throughput", "rtlsim_performance.json", "stable_throughput[images/s]", 1, "inferences/s", "rtlsim"),
    ("throughput", "ooc_synth_and_timing.json", "estimated_throughput_fps", 1, "inferences/s", "synth"),
    ("latency", "estimate_network_performance.json", "estimated_latency_ns", 1e-3, "us", "estimate"),
    ("clock", "rtlsim_performance.json", "fclk[mhz]", 1, "MHz", "rtlsim"),
    ("clock", "ooc_synth_and_timing.json", "fmax_mhz", 1, "MHz", "synth"),
)


def _scalars(reports: Reports) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {"throughput": [], "latency": [], "clock": []}
    for quantity, report, key, factor, unit, stage in _SCALARS:
        value = number(reports.get(report, {}).get(key))
        if value is not None:
            found[quantity].append(Value(value=value * factor, unit=unit, stage=stage, source=f"report/{report}"))
    simulated = reports.get("rtlsim_performance.json", {})
    cycles, clock = number(simulated.get("latency_cycles")), number(simulated.get("fclk[mhz]"))
    if cycles is not None and clock:
        found["latency"].append(
            Value(value=cycles / clock, unit="us", stage="rtlsim", source="report/rtlsim_performance.json")
        )
    return found


def _resources(reports: Reports) -> dict[str, tuple[Value, ...]]:
    sources: tuple[tuple[str, str | None, Stage], ...] = (
        ("estimate_layer_resources.json", "total", "estimate"),
        ("ooc_synth_and_timing.json", None, "synth"),
        ("post_synth_resources.json", "(top)", "routed"),
    )
    found: dict[str, list[Value]] = {}
    for report, key, stage in sources:
        table = reports.get(report, {})
        row = table.get(key, {}) if key is not None else table
        for name in _RESOURCES:
            value = number(row.get(name)) if isinstance(row, Mapping) else None
            if value is not None:
                entry = Value(value=value, unit="count", stage=stage, source=f"report/{report}")
                found.setdefault(name, []).append(entry)
    return {name: tuple(values) for name, values in sorted(found.items())}


def _layers(reports: Reports, bottleneck: str | None) -> tuple[Layer, ...]:
    cycles = reports.get("estimate_layer_cycles.json", {})
    resources = reports.get("estimate_layer_resources.json", {})
    folding = reports.get("final_hw_config.json") or reports.get("auto_folding_config.json", {})
    layers = []
    for name in [*cycles, *(name for name in resources if name != "total" and name not in cycles)]:
        count = number(cycles.get(name))
        used = resources.get(name, {})
        values = {key: number(value) for key, value in used.items()} if isinstance(used, Mapping) else {}
        fold = folding.get(name, {})
        layers.append(
            Layer(
                name=name,
                cycles=None if count is None else int(count),
                folding=dict(fold) if isinstance(fold, Mapping) else {},
                resources={key: value for key, value in sorted(values.items()) if value is not None},
                bottleneck=name == bottleneck,
            )
        )
    return tuple(layers)


def collect_metrics(reports: Reports, clock_ns: float | None) -> BuildMetrics:
    """The metrics that the reports give; `clock_ns` is the clock period asked for, in ns."""
    scalars = _scalars(reports)
    clock = scalars["clock"]
    if clock_ns is not None:
        clock.insert(0, Value(value=1e3 / clock_ns, unit="MHz", stage="estimate", source="target.clock_ns"))
    named = reports.get("estimate_network_performance.json", {}).get("max_cycles_node_name")
    bottleneck = named if isinstance(named, str) else None
    return BuildMetrics(
        throughput=tuple(scalars["throughput"]),
        latency=tuple(scalars["latency"]),
        clock=tuple(clock),
        resources=_resources(reports),
        bottleneck=bottleneck,
        layers=_layers(reports, bottleneck),
        raw={name: dict(report) for name, report in reports.items()},
        warnings=() if reports else ("no report was found: no metrics",),
    )


def summary_rows(metrics: BuildMetrics) -> list[dict[str, str]]:
    """What a person wants to see first."""
    rows = []
    quantities = [("throughput", metrics.throughput), ("latency", metrics.latency), ("clock", metrics.clock)]
    quantities += list(metrics.resources.items())
    for label, values in quantities:
        for value in values:
            unit = "" if value.unit == "count" else f" {value.unit}"
            rows.append({"label": label, "value": f"{value.value:,.10g}{unit}", "note": value.stage})
    if metrics.bottleneck:
        cycles = next((layer.cycles for layer in metrics.layers if layer.bottleneck), None)
        rows.append(
            {"label": "bottleneck", "value": metrics.bottleneck, "note": f"{cycles} cycles" if cycles else ""}
        )
    return rows
