"""Collect metrics from FINN's reports and from what other executors measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bskernel_executors.devices.resources import find_device
from bskernel_executors.exchange.budget_check import BudgetCheck
from bskernel_executors.exchange.coverage import Coverage
from bskernel_executors.exchange.report_makers import MADE_BY
from bskernel_executors.exchange.simulation import SIMULATION, Simulation
from bskernel_executors.exchange.synthesis import (
    IMPLEMENTATION,
    SYNTHESIS,
    Implementation,
    Synthesis,
    TimedSynthesis,
)
from bskernel_executors.lattice.devices import PROXY_PART, is_lattice
from bskernel_executors.metrics.model import STAND_IN, BuildMetrics, LayerMetrics, Stage, Value
from bskernel_executors.metrics.reconciliation import reconcile
from bskernel_executors.metrics.reports import TIMING_REPORT, parse_number
from bskernel_executors.metrics.scope import count_frames, describe_missed_target, describe_scope
from bskernel_executors.metrics.utilization import compute_utilization

Reports = Mapping[str, Mapping[str, Any]]
_RESOURCES = ("LUT", "FF", "DSP", "BRAM_4K", "BRAM_18K", "BRAM_36K", "URAM", "SRL", "LUTRAM", "CARRY")
# (quantity, report, key, factor to the unit, unit, stage), with the keys that FINN's code writes. FINN's
# out-of-context run places and routes before it reports.
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
    ("power", "ooc_synth_and_timing.json", "total_power_W", 1, "W", "routed"),
    ("fifo_memory", "fifo_sizing.json", "total_fifo_size_kiB", 1, "KiB", "rtlsim"),
    ("fifo_memory", "fifo_sizing.json", "total_fifo_size_kB", 1, "KiB", "rtlsim"),  # FINN+ before 1.5
    ("accuracy", "report_dma_validate.json", "top-1_accuracy", 1e-2, "fraction", "measured"),
)
_OOC, _SLACK_BASED = "ooc_synth_and_timing.json", frozenset({"fmax_mhz", "estimated_throughput_fps"})
_POWER_SUMMARY = "power_estimate_summary.json"


class _Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that metrics are collected from."""

    reports: Reports  # FINN's, by file name; made_by.json tells which tool wrote them
    simulation: Simulation | None
    synthesis: Synthesis | None
    implementation: Implementation | None

    def named(self) -> Iterator[tuple[str, Simulation | Synthesis | Implementation]]:
        """Yield what other executors measured, by file name."""
        for name, found in (
            (SIMULATION, self.simulation),
            (SYNTHESIS, self.synthesis),
            (IMPLEMENTATION, self.implementation),
        ):
            if found is not None:
                yield name, found

    def vendor_reports(self) -> Iterator[tuple[str, Stage, TimedSynthesis | Implementation]]:
        """Yield what a vendor's tool reported, with file name and stage."""
        if isinstance(self.synthesis, TimedSynthesis):
            yield SYNTHESIS, "synth", self.synthesis
        if self.implementation is not None:
            yield IMPLEMENTATION, "routed", self.implementation

    def is_stand_in(self, name: str) -> bool:
        """Return whether a file is from the tests' stand-in for Vivado, whose numbers are of another design."""
        if any(name == other and found.stand_in for other, _, found in self.vendor_reports()):
            return True
        return STAND_IN in str(self.reports.get(MADE_BY, {}).get(name)).lower()

    def locate(self, name: str) -> str:
        """Return the source of a number: the file, with Vivado's version or the mark of the stand-in."""
        # FINN's reports are in the folder report; the executors' files are artifacts of their own.
        place = name if name in {SIMULATION, SYNTHESIS, IMPLEMENTATION} else f"report/{name}"
        if self.is_stand_in(name):
            return f"{STAND_IN} ({place})"
        tool = next((found.tool for other, _, found in self.vendor_reports() if other == name), "")
        return f"{place} ({tool})" if tool.startswith(("Vivado", "nextpnr")) else place


def _is_stated(reports: Reports, report: str, key: str) -> bool:
    """Return whether a report's number is real: FINN replaces a missing slack by 0 and computes with it."""
    return report != _OOC or key not in _SLACK_BASED or "WNS" in reports.get(report, {})


def _collect_scalars(found: _Measurements, clock_ns: float | None) -> dict[str, list[Value]]:
    """Collect the quantities of the whole design, by name."""
    scalars: dict[str, list[Value]] = {}

    def add(quantity: str, value: float | None, unit: str, stage: Stage, source: str) -> None:
        if value is not None:
            scalars.setdefault(quantity, []).append(Value(value=value, unit=unit, stage=stage, source=source))

    for quantity, report, key, factor, unit, stage in _SCALARS:
        value = parse_number(found.reports.get(report, {}).get(key))
        if value is not None and _is_stated(found.reports, report, key):
            add(quantity, value * factor, unit, stage, found.locate(report))
    for name, stage, measured in found.vendor_reports():
        source = found.locate(name)
        add("slack", measured.wns_ns, "ns", stage, source)
        if stage == "routed":
            add("clock", measured.fmax_mhz, "MHz", stage, source)
            add("power", measured.power_w, "W", stage, source)
            if found.simulation is not None and measured.fmax_mhz is not None and not measured.stand_in:
                # What the simulation counted, at the highest clock of the routed design.
                at_fmax = _read_simulation(found.simulation, 1e3 / measured.fmax_mhz)
                for quantity in ("throughput", "latency"):
                    add(quantity, *at_fmax[quantity], stage, source)
    name = "rtlsim_performance.json"
    simulated = found.reports.get(name, {})
    cycles, clock = parse_number(simulated.get("latency_cycles")), parse_number(simulated.get("fclk[mhz]"))
    if cycles is not None and clock:
        add("latency", cycles / clock, "us", "rtlsim", found.locate(name))
    if found.simulation is not None:
        for quantity, (value, unit) in _read_simulation(found.simulation, clock_ns).items():
            add(quantity, value, unit, "rtlsim", SIMULATION)
    return scalars


def _read_simulation(simulation: Simulation, clock_ns: float | None) -> dict[str, tuple[float | None, str]]:
    """Return quantities with units. Cycles become time by the clock that was asked for."""
    found: dict[str, tuple[float | None, str]] = {
        "accuracy": (simulation.accuracy, "fraction"),
        "fifo_memory": (simulation.fifo_bits / 8 / 1024, "KiB"),
    }
    if clock_ns is not None:
        cycles = simulation.cycles_per_frame
        found["throughput"] = (1e9 / (clock_ns * cycles) if cycles else None, "inferences/s")
        found["latency"] = (simulation.latency_cycles * clock_ns * 1e-3, "us")
    return found


def _collect_power(found: _Measurements) -> tuple[Value, ...]:
    """Collect total power: with simulated activity, if there is one, and with each assumed toggle rate."""
    summary = found.reports.get(_POWER_SUMMARY, {})
    totals = {key: value for key, value in summary.items() if key.endswith("_total")}
    values = []
    for key, text in sorted(totals.items(), key=lambda item: (item[0] != "power_sim_total", item[0])):
        value = parse_number(text)
        if value is not None:
            source = f"{found.locate(_POWER_SUMMARY)}:{key}"
            values.append(Value(value=value, unit="W", stage="routed", source=source))
    return tuple(values)


def _row(reports: Reports, report: str, key: str | None) -> Mapping[str, Any]:
    table = reports.get(report, {})
    row = table if key is None else table.get(key, {})
    return row if isinstance(row, Mapping) else {}


def _sum_hls(reports: Reports) -> dict[str, float]:
    """Sum the layers that HLS has reported. For the others, FINN writes the number 0.

    FINN writes reported counts as text, FINN+ writes numbers; there, only layers with a report have the key "DSP".
    """
    sums: dict[str, float] = {}
    for layer, row in reports.get("estimate_layer_resources_hls.json", {}).items():
        if isinstance(row, Mapping) and layer != "total":
            in_numbers = isinstance(row.get("DSP"), int) and not any(isinstance(value, str) for value in row.values())
            for name in _RESOURCES:
                value = parse_number(row.get(name)) if in_numbers or isinstance(row.get(name), str) else None
                if value is not None:
                    sums[name] = sums.get(name, 0) + value
    return sums


def _collect_resources(found: _Measurements) -> dict[str, tuple[Value, ...]]:
    """Collect the counts of the whole design, by resource."""
    reports = found.reports
    sources: tuple[tuple[str, Mapping[str, Any], Stage], ...] = (
        ("estimate_layer_resources.json", _row(reports, "estimate_layer_resources.json", "total"), "estimate"),
        ("estimate_layer_resources_hls.json", _sum_hls(reports), "hls"),
        (SYNTHESIS, found.synthesis.design if found.synthesis is not None else {}, "synth"),
        ("ooc_synth_and_timing.json", _row(reports, "ooc_synth_and_timing.json", None), "routed"),
        ("post_synth_resources.json", _row(reports, "post_synth_resources.json", "(top)"), "routed"),
        (IMPLEMENTATION, found.implementation.design if found.implementation is not None else {}, "routed"),
    )
    counts: dict[str, list[Value]] = {}
    for report, row, stage in sources:
        for name in _RESOURCES:
            value = parse_number(row.get(name))
            if value is not None:
                entry = Value(value=value, unit="count", stage=stage, source=found.locate(report))
                counts.setdefault(name, []).append(entry)
    return {name: tuple(values) for name, values in sorted(counts.items())}


def _collect_layers(found: _Measurements, bottleneck: str | None) -> tuple[LayerMetrics, ...]:
    """Collect cycles, folding and counts of each layer. The stand-in's counts are of another design: left out."""
    reports = found.reports
    cycles = reports.get("estimate_layer_cycles.json", {})
    resources = reports.get("estimate_layer_resources.json", {})
    synthesized, routed = (
        {} if report is None or found.is_stand_in(name) else report.layers
        for name, report in ((SYNTHESIS, found.synthesis), (IMPLEMENTATION, found.implementation))
    )
    # FIFO sizing writes the final one; a folding that was given replaces the one that FINN found for a target_fps.
    written = ("final_hw_config.json", "applied_folding_config.json", "auto_folding_config.json")
    folding = next((reports[name] for name in written if reports.get(name)), {})
    layers = []
    for name in [*cycles, *(name for name in resources if name != "total" and name not in cycles)]:
        count = parse_number(cycles.get(name))
        used = resources.get(name, {})
        values = {key: parse_number(value) for key, value in used.items()} if isinstance(used, Mapping) else {}
        fold = folding.get(name, {})
        layers.append(
            LayerMetrics(
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


def _collect_budget(check: BudgetCheck, routed: Implementation | None) -> dict[str, tuple[Value, ...]]:
    """Collect the share of each budget that was predicted and then counted, and the largest of all (`worst`).

    What a router counted comes last; it does not count everything that has a budget.
    """
    stages: list[tuple[Stage, str, dict[str, float]]] = [
        ("estimate", "predicted_costs.json", {name: one.expected for name, one in check.resources.items()}),
        ("synth", SYNTHESIS, {name: one.used for name, one in check.resources.items()}),
    ]
    counts = routed.design if routed is not None else {}
    ends = {
        name: msgspec.structs.replace(one, counted=float(counts[name])).used
        for name, one in check.resources.items()
        if name in counts
    }
    if ends:
        stages.append(("routed", IMPLEMENTATION, ends))
    found: dict[str, tuple[Value, ...]] = {}
    known: dict[str, float] = {}
    for stage, source, shares in stages:
        known |= shares
        for name, share in (shares | ({"worst": max(known.values())} if shares else {})).items():
            value = Value(value=share, unit="fraction", stage=stage, source=source)
            found[name] = (*found.get(name, ()), value)
    return dict(sorted(found.items()))


def _judge_timing(found: _Measurements) -> tuple[bool | None, list[str]]:
    """Return whether the routed design meets its clock (None: unknown), and warnings."""
    if found.implementation is not None:
        name, met = IMPLEMENTATION, found.implementation.met
    else:
        name, met = TIMING_REPORT, found.reports.get(TIMING_REPORT, {}).get("met")
    if found.is_stand_in(name):
        return None, ["timing is not met, according to the stand-in for Vivado"] if met is False else []
    if met is False:
        return met, ["timing is not met: the routed design does not run at the clock that was asked for"]
    return met if isinstance(met, bool) else None, []


def collect_metrics(
    reports: Reports,
    clock_ns: float | None,
    part: str | None = None,
    board: str | None = None,
    *,
    simulation: Simulation | None = None,
    synthesis: Synthesis | None = None,
    implementation: Implementation | None = None,
    coverage: Coverage | None = None,
    budget: BudgetCheck | None = None,
    target_fps: int | None = None,
) -> BuildMetrics:
    """Collect metrics from FINN's `reports` (by file name) and from what other executors measured.

    `clock_ns` is the requested clock period in ns, `target_fps` the requested throughput in inferences/s.
    """
    found = _Measurements(reports=reports, simulation=simulation, synthesis=synthesis, implementation=implementation)
    raw = {name: dict(report) for name, report in reports.items()}
    raw |= {name: msgspec.to_builtins(measured) for name, measured in found.named()}
    warnings = [] if reports else ["no report was found: no metrics"]
    warnings += describe_scope(coverage) if reports else []
    scalars = _collect_scalars(found, clock_ns)
    scalars["throughput"] = count_frames(scalars.get("throughput", ()), coverage)
    clock = scalars.get("clock", [])
    if clock_ns is not None:
        clock.insert(0, Value(value=1e3 / clock_ns, unit="MHz", stage="estimate", source="target.clock_ns"))
    slowest = reports.get("estimate_network_performance.json", {}).get("max_cycles_node_name")
    bottleneck = slowest if isinstance(slowest, str) else None
    resources = _collect_resources(found)
    device = find_device(part, board)
    if part is not None and is_lattice(part):
        warnings.append(f"FINN knows no {part}: its estimates are those for {PROXY_PART}")
    if (part or board) and device is None:
        warnings.append(f"the resources of {part or board} are unknown: no utilization")
    if any(found.is_stand_in(name) for name in raw):
        warnings.append("numbers of the stand-in for Vivado were recorded from other designs: they are no results")
    met, timing_warnings = _judge_timing(found)
    warnings += timing_warnings
    metrics = BuildMetrics(
        hardware_share=coverage.share if coverage is not None else None,
        frames=coverage.frames if coverage is not None else 1,
        throughput=tuple(scalars["throughput"]),
        latency=tuple(scalars.get("latency", ())),
        clock=tuple(clock),
        power=(*_collect_power(found), *scalars.get("power", ())),
        accuracy=tuple(scalars.get("accuracy", ())),
        slack=tuple(scalars.get("slack", ())),
        timing_met=met,
        fifo_memory=tuple(scalars.get("fifo_memory", ())),
        resources=resources,
        utilization=compute_utilization(resources, device) if device is not None else {},
        device=msgspec.to_builtins(device) if device is not None else {},
        budget=_collect_budget(budget, implementation) if budget is not None else {},
        reconciliation=reconcile(
            {**{name: scalars.get(name, ()) for name in ("throughput", "latency")}, **resources}
        ),
        bottleneck=bottleneck,
        layers=_collect_layers(found, bottleneck),
        raw=raw,
        warnings=tuple(warnings),
    )
    missed = describe_missed_target(metrics, target_fps)
    return metrics if missed is None else msgspec.structs.replace(metrics, warnings=(*metrics.warnings, missed))
