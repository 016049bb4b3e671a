"""From reports to metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bskernel_executors.metrics.devices import find_device
from bskernel_executors.metrics.model import STAND_IN, BuildMetrics, Layer, Stage, Value
from bskernel_executors.metrics.reconciling import reconcile
from bskernel_executors.metrics.reports import TIMING_REPORT, number
from bskernel_executors.metrics.utilization import utilization
from bskernel_executors.vivado_reports import MADE_BY

Reports = Mapping[str, Mapping[str, Any]]
SIMULATION, SYNTHESIS, IMPLEMENTATION = "simulation.json", "synthesis.json", "implementation.json"
_RESOURCES = ("LUT", "FF", "DSP", "BRAM_18K", "BRAM_36K", "URAM", "SRL", "LUTRAM", "CARRY")
# (quantity, report, key, factor to the unit, unit, stage); keys as FINN's code writes them. FINN's out-of-context run
# places and routes before it reports.
_SCALARS: tuple[tuple[str, str, str, float, str, Stage], ...] = (
    ("throughput", "estimate_network_performance.json", "estimated_throughput_fps", 1, "inferences/s", "estimate"),
    ("throughput", "rtlsim_performance.json", "stable_throughput[images/s]", 1, "inferences/s", "rtlsim"),
    ("throughput", "ooc_synth_and_timing.json", "estimated_throughput_fps", 1, "inferences/s", "routed"),
    ("throughput", "report_experiment_instrumentation.json", "throughput_fps", 1, "inferences/s", "measured"),
    ("latency", "estimate_network_performance.json", "estimated_latency_ns", 1e-3, "us", "estimate"),
    ("latency", "report_experiment_instrumentation.json", "latency_ms", 1e3, "us", "measured"),
    ("clock", "rtlsim_performance.json", "fclk[mhz]", 1, "MHz", "rtlsim"),
    ("clock", "ooc_synth_and_timing.json", "fmax_mhz", 1, "MHz", "routed"),
    ("clock", "report_experiment_instrumentation.json", "frequency_mhz", 1, "MHz", "measured"),
    ("slack", "ooc_synth_and_timing.json", "WNS", 1, "ns", "routed"),
    ("slack", TIMING_REPORT, "wns_ns", 1, "ns", "routed"),
    ("slack", SYNTHESIS, "wns_ns", 1, "ns", "synth"),
    ("slack", IMPLEMENTATION, "wns_ns", 1, "ns", "routed"),
    ("clock", IMPLEMENTATION, "fmax_mhz", 1, "MHz", "routed"),
    ("power", "ooc_synth_and_timing.json", "total_power_W", 1, "W", "routed"),
    ("power", IMPLEMENTATION, "power_w", 1, "W", "routed"),
    ("fifo_memory", "fifo_sizing.json", "total_fifo_size_kiB", 1, "KiB", "rtlsim"),
    ("fifo_memory", "fifo_sizing.json", "total_fifo_size_kB", 1, "KiB", "rtlsim"),  # FINN+ before 1.5
    ("accuracy", "report_dma_validate.json", "top-1_accuracy", 1e-2, "fraction", "measured"),
)
_OOC, _BY_SLACK = "ooc_synth_and_timing.json", frozenset({"fmax_mhz", "estimated_throughput_fps"})
_POWER_SUMMARY = "power_estimate_summary.json"


def _is_stand_in(reports: Reports, report: str) -> bool:
    """Is it from the tests' stand-in for Vivado? What has no source of its own to say so is then left out."""
    told, maker = reports.get(report, {}).get("stand_in"), str(reports.get(MADE_BY, {}).get(report))
    return bool(told) or STAND_IN in maker.lower()


def _at(report: str, reports: Reports) -> str:
    """Where a report is found: FINN's lie under report/, the executors' stand alone; Vivado's with its version."""
    place = report if report in {SIMULATION, SYNTHESIS, IMPLEMENTATION} else f"report/{report}"
    if _is_stand_in(reports, report):
        return f"{STAND_IN} ({place})"
    tool = reports.get(report, {}).get("tool")
    return f"{place} ({tool})" if isinstance(tool, str) and tool.startswith("Vivado") else place


def _is_said(reports: Reports, report: str, key: str) -> bool:
    """FINN takes a slack that no report says for 0, and computes with it."""
    return report != _OOC or key not in _BY_SLACK or "WNS" in reports.get(report, {})


def _scalars(reports: Reports) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for quantity, report, key, factor, unit, stage in _SCALARS:
        value = number(reports.get(report, {}).get(key))
        if value is not None and _is_said(reports, report, key):
            entry = Value(value=value * factor, unit=unit, stage=stage, source=_at(report, reports))
            found.setdefault(quantity, []).append(entry)
    name = "rtlsim_performance.json"
    simulated = reports.get(name, {})
    cycles, clock = number(simulated.get("latency_cycles")), number(simulated.get("fclk[mhz]"))
    if cycles is not None and clock:
        latency = Value(value=cycles / clock, unit="us", stage="rtlsim", source=_at(name, reports))
        found.setdefault("latency", []).append(latency)
    return found


def _simulated(simulation: Mapping[str, Any], clock_ns: float | None) -> dict[str, Value]:
    """What rtl-sim measured; cycles become time by the clock that was asked for."""
    bits = number(simulation.get("fifo_bits"))
    found: dict[str, tuple[float | None, str]] = {
        "accuracy": (number(simulation.get("accuracy")), "fraction"),
        "fifo_memory": (bits / 8 / 1024 if bits is not None else None, "KiB"),
    }
    if clock_ns is not None:
        cycles, latency = number(simulation.get("cycles_per_frame")), number(simulation.get("latency_cycles"))
        found["throughput"] = (1e9 / (clock_ns * cycles) if cycles else None, "inferences/s")
        found["latency"] = (latency * clock_ns * 1e-3 if latency is not None else None, "us")
    return {
        name: Value(value=value, unit=unit, stage="rtlsim", source=SIMULATION)
        for name, (value, unit) in found.items()
        if value is not None
    }


def _power(reports: Reports) -> tuple[Value, ...]:
    """Total power: by simulated activity where there is one, and by each assumed toggle rate."""
    totals = {key: value for key, value in reports.get(_POWER_SUMMARY, {}).items() if key.endswith("_total")}
    values = []
    for key, text in sorted(totals.items(), key=lambda item: (item[0] != "power_sim_total", item[0])):
        value = number(text)
        if value is not None:
            values.append(
                Value(value=value, unit="W", stage="routed", source=f"{_at(_POWER_SUMMARY, reports)}:{key}")
            )
    return tuple(values)


def _row(reports: Reports, report: str, key: str | None) -> Mapping[str, Any]:
    table = reports.get(report, {})
    row = table if key is None else table.get(key, {})
    return row if isinstance(row, Mapping) else {}


def _hls_total(reports: Reports) -> dict[str, float]:
    """Sums over the layers that HLS has reported; where it has not, FINN writes the number 0.

    FINN writes as text what a report says, FINN+ as numbers: there "DSP" is a key that reports alone have.
    """
    sums: dict[str, float] = {}
    for layer, row in reports.get("estimate_layer_resources_hls.json", {}).items():
        if isinstance(row, Mapping) and layer != "total":
            in_numbers = isinstance(row.get("DSP"), int) and not any(isinstance(value, str) for value in row.values())
            for name in _RESOURCES:
                value = number(row.get(name)) if in_numbers or isinstance(row.get(name), str) else None
                if value is not None:
                    sums[name] = sums.get(name, 0) + value
    return sums


def _resources(reports: Reports) -> dict[str, tuple[Value, ...]]:
    sources: tuple[tuple[str, Mapping[str, Any], Stage], ...] = (
        ("estimate_layer_resources.json", _row(reports, "estimate_layer_resources.json", "total"), "estimate"),
        ("estimate_layer_resources_hls.json", _hls_total(reports), "hls"),
        (SYNTHESIS, _row(reports, SYNTHESIS, "design"), "synth"),
        ("ooc_synth_and_timing.json", _row(reports, "ooc_synth_and_timing.json", None), "routed"),
        ("post_synth_resources.json", _row(reports, "post_synth_resources.json", "(top)"), "routed"),
        (IMPLEMENTATION, _row(reports, IMPLEMENTATION, "design"), "routed"),
    )
    found: dict[str, list[Value]] = {}
    for report, row, stage in sources:
        for name in _RESOURCES:
            value = number(row.get(name))
            if value is not None:
                entry = Value(value=value, unit="count", stage=stage, source=_at(report, reports))
                found.setdefault(name, []).append(entry)
    return {name: tuple(values) for name, values in sorted(found.items())}


def _layers(reports: Reports, bottleneck: str | None) -> tuple[Layer, ...]:
    cycles = reports.get("estimate_layer_cycles.json", {})
    resources = reports.get("estimate_layer_resources.json", {})
    synthesized, routed = (
        {} if _is_stand_in(reports, name) else _row(reports, name, "layers") for name in (SYNTHESIS, IMPLEMENTATION)
    )
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
                synthesized=dict(synthesized.get(name, {})),
                routed=dict(routed.get(name, {})),
                bottleneck=name == bottleneck,
            )
        )
    return tuple(layers)


def collect_metrics(
    reports: Reports,
    clock_ns: float | None,
    part: str | None = None,
    board: str | None = None,
    simulation: Mapping[str, Any] | None = None,
    synthesis: Mapping[str, Any] | None = None,
    implementation: Mapping[str, Any] | None = None,
) -> BuildMetrics:
    """The metrics that the reports give; `clock_ns` is the clock period asked for, in ns."""
    warnings = [] if reports else ["no report was found: no metrics"]
    measured = {SIMULATION: simulation, SYNTHESIS: synthesis, IMPLEMENTATION: implementation}
    reports = {**reports, **{name: report for name, report in measured.items() if report}}
    scalars = _scalars(reports)
    for name, value in _simulated(reports.get(SIMULATION, {}), clock_ns).items():
        scalars.setdefault(name, []).append(value)
    clock = scalars.get("clock", [])
    if clock_ns is not None:
        clock.insert(0, Value(value=1e3 / clock_ns, unit="MHz", stage="estimate", source="target.clock_ns"))
    named = reports.get("estimate_network_performance.json", {}).get("max_cycles_node_name")
    bottleneck = named if isinstance(named, str) else None
    resources = _resources(reports)
    device = find_device(part, board)
    if (part or board) and device is None:
        warnings.append(f"the totals of {part or board} are not known: no utilization")
    if any(_is_stand_in(reports, name) for name in reports):
        warnings.append("numbers of the stand-in for Vivado were recorded from other designs: they are no results")
    checked = TIMING_REPORT if IMPLEMENTATION not in reports else IMPLEMENTATION
    met = reports.get(checked, {}).get("met")
    if met is False and _is_stand_in(reports, checked):
        warnings.append("timing is not met, says the stand-in for Vivado")
    elif met is False:
        warnings.append("timing is not met: the routed design does not run at the clock that was asked for")
    if _is_stand_in(reports, checked):
        met = None
    return BuildMetrics(
        throughput=tuple(scalars.get("throughput", ())),
        latency=tuple(scalars.get("latency", ())),
        clock=tuple(clock),
        power=(*_power(reports), *scalars.get("power", ())),
        accuracy=tuple(scalars.get("accuracy", ())),
        slack=tuple(scalars.get("slack", ())),
        timing_met=met if isinstance(met, bool) else None,
        fifo_memory=tuple(scalars.get("fifo_memory", ())),
        resources=resources,
        utilization=utilization(resources, device) if device is not None else {},
        device=msgspec.to_builtins(device) if device is not None else {},
        reconciliation=reconcile(
            {**{name: scalars.get(name, ()) for name in ("throughput", "latency")}, **resources}
        ),
        bottleneck=bottleneck,
        layers=_layers(reports, bottleneck),
        raw={name: dict(report) for name, report in reports.items()},
        warnings=tuple(warnings),
    )
