"""Break a design's cycles down by layer: the bottlenecks, and the foldings that would make them faster."""

from __future__ import annotations

import msgspec

from bskernel_executors.dataflow.operators import PROPORTIONAL, next_divisor, operator_of
from bskernel_executors.exchange.bit_widths import BitWidths, LayerWidths
from bskernel_executors.metrics.model import BuildMetrics, Value


class LayerPace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer's cycles per frame, absolute and relative."""

    name: str
    cycles: int
    share: float  # of the cycles of all layers, and so of the latency if the layers form a chain
    busy: float  # of the slowest layer's cycles: the fraction of time in which this layer works


class FoldingStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A layer's next larger value of one folding attribute: the smallest divisor above the present value."""

    layer: str
    parameter: str  # PE or SIMD
    value: int
    next_value: int
    of: str  # what it must divide, e.g. MH
    size: int
    cycles: int | None = None  # of the layer with it; absent if they are not inversely proportional


class Breakdown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Cycles are FINN's estimates per frame. The slowest layer sets the interval between two frames."""

    layers: tuple[LayerPace, ...] = ()
    total_cycles: int | None = None  # sum over the layers
    latency_cycles: int | None = None  # FINN's critical path
    interval_cycles: int | None = None
    bottlenecks: tuple[str, ...] = ()  # several if equally slow
    next_layer: str | None = None  # the slowest of the others
    next_cycles: int | None = None
    next_ratio: float | None = None  # the bottleneck's cycles / its cycles
    clock_mhz: float | None = None
    throughput_fps: float | None = None  # at this clock, limited by the bottleneck
    target_fps: int | None = None
    meets_target: bool | None = None
    steps: tuple[FoldingStep, ...] = ()  # all that would make a bottleneck faster
    proposal: tuple[FoldingStep, ...] = ()  # the smallest step of each bottleneck
    proposed_interval_cycles: int | None = None  # with the whole proposal
    proposed_throughput_fps: float | None = None
    warnings: tuple[str, ...] = ()


def find_target_clock(clocks: tuple[Value, ...]) -> float | None:
    """Return the requested clock in MHz. The routed one is an upper limit, at which the design need not run."""
    return next((clock.value for clock in clocks if clock.stage == "estimate"), None)


def _steps(layer: LayerWidths, cycles: int) -> tuple[FoldingStep, ...]:
    found = []
    for fold in layer.folding:
        following = next_divisor(fold.size, fold.value)
        if following is not None:
            scales = operator_of(layer.operator) in PROPORTIONAL
            found.append(
                FoldingStep(
                    layer=layer.name,
                    parameter=fold.parameter,
                    value=fold.value,
                    next_value=following,
                    of=fold.of,
                    size=fold.size,
                    cycles=cycles * fold.value // following if scales else None,
                )
            )
    return tuple(found)


def break_down(metrics: BuildMetrics, widths: BitWidths | None = None, target_fps: int | None = None) -> Breakdown:
    """Break the estimated cycles down. Folding steps need the `widths` of the folded graph."""
    cycles = {layer.name: layer.cycles for layer in metrics.layers if layer.cycles is not None}
    slowest = max(cycles.values(), default=0)
    if not slowest:
        return Breakdown(warnings=("no report states the layers' cycles, so there is nothing to break down",))
    total = sum(cycles.values())
    clock = find_target_clock(metrics.clock)
    bottlenecks = tuple(name for name, count in cycles.items() if count == slowest)
    others = {name: count for name, count in cycles.items() if count < slowest}
    following = max(others, key=lambda name: others[name], default=None)
    warnings = [] if clock else ["the clock is unknown, so there is no throughput"]
    path = metrics.raw.get("estimate_network_performance.json", {}).get("critical_path_cycles")
    if isinstance(path, int) and path != total:
        warnings.append(f"layers run in parallel branches: the latency is {path} cycles, the sum {total}")
    steps: list[FoldingStep] = []
    for name in bottlenecks:
        layer = widths.layer(name) if widths is not None else None
        if layer is None:
            warnings.append(f"the folding of {name} is unknown: put bit_widths after the folding")
        else:
            steps += _steps(layer, slowest)
    proposal = tuple(
        min(own, key=lambda step: (step.next_value / step.value, step.parameter))
        for name in bottlenecks
        if (own := [step for step in steps if step.layer == name and step.cycles is not None])
    )
    then = None
    # If one bottleneck cannot be folded further, the pace stays the same.
    if len(proposal) == len(bottlenecks):
        then = max([*others.values(), *(step.cycles for step in proposal if step.cycles is not None)])
    rate = clock * 1e6 * metrics.frames if clock else None  # frames * cycles per second
    fps = rate / slowest if rate else None
    return Breakdown(
        layers=tuple(
            LayerPace(name=name, cycles=count, share=count / total, busy=count / slowest)
            for name, count in cycles.items()
        ),
        total_cycles=total,
        latency_cycles=path if isinstance(path, int) else None,
        interval_cycles=slowest,
        bottlenecks=bottlenecks,
        next_layer=following,
        next_cycles=others[following] if following is not None else None,
        next_ratio=slowest / others[following] if following is not None and others[following] else None,
        clock_mhz=clock,
        throughput_fps=fps,
        target_fps=target_fps,
        meets_target=fps >= target_fps if fps is not None and target_fps is not None else None,
        steps=tuple(steps),
        proposal=proposal,
        proposed_interval_cycles=then,
        proposed_throughput_fps=rate / then if rate and then else None,
        warnings=tuple(warnings),
    )
