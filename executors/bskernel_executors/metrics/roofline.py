"""Find what bounds each layer and the design: arithmetic, streams or external memory.

The roofline model (Williams, Waterman, Patterson: "Roofline: an insightful visual performance model for multicore
architectures", CACM 52(4), 2009): attainable operations/s = min(peak operations/s, intensity x bandwidth), with the
intensity in operations per byte of traffic. A multiply-accumulate is two operations. For one layer and frame:

    operations = 2 x MACs                          peak      = 2 x MACs per cycle (PE x SIMD) x clock
    traffic    = bits in + out, / 8                bandwidth = a stream's width in bits / 8 x clock
    external weights: MACs x bits of a weight / 8 bytes, because FINN streams a weight again for every use

Each kind of traffic has a bandwidth and so a roof of its own. Roofs are given in frames/s, which makes layers
comparable. Layers work in parallel: the lowest roof is the design's, and the sum of all peaks is its peak.
"""

from __future__ import annotations

import msgspec

from bskernel_executors.exchange.bit_widths import BitWidths, LayerWidths, TensorFormat
from bskernel_executors.metrics.breakdown import find_target_clock
from bskernel_executors.metrics.model import BuildMetrics

COMPUTE, STREAM_IN, STREAM_OUT, MEMORY, CYCLES = (
    "compute",
    "input stream",
    "output stream",
    "external memory",
    "estimated cycles",
)
_EXTERNAL = frozenset({"external", "external_mem"})
_FLOW = frozenset({"StreamingFIFO", "StreamingDataWidthConverter"})  # they only pass data on


class LayerBound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One layer's roofs in frames/s, and the lowest one."""

    name: str
    roofs_fps: dict[str, float]
    bound: str
    attainable_fps: float
    operations: int | None = None  # per frame
    stream_bytes: float | None = None  # in and out, per frame
    external_bytes: float | None = None  # weights, per frame; absent if they are on the chip
    intensity: float | None = None  # operations per byte of streams and weights
    peak_gops: float | None = None  # 1e9 operations/s
    attainable_gops: float | None = None


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The bounds of the layers and of the design."""

    clock_mhz: float
    layers: tuple[LayerBound, ...]
    attainable_fps: float
    bounds: tuple[str, ...]  # "LAYER: ROOF" or "external memory"; several if equally low
    memory_gb_s: float | None = None  # 1e9 bytes/s between the board's memory and the device
    memory_fps: float | None = None
    operations: int | None = None  # per frame
    external_bytes: float | None = None  # inputs, outputs and external weights, per frame
    intensity: float | None = None  # operations per external byte
    peak_gops: float | None = None
    attainable_gops: float | None = None
    warnings: tuple[str, ...] = ()


def _bytes(numbers: TensorFormat | None) -> float | None:
    return None if numbers is None or numbers.total_bits is None else numbers.total_bits / 8


def _external_bytes(layer: LayerWidths) -> float | None:
    if layer.weight_memory not in _EXTERNAL or layer.weights is None or layer.macs is None:
        return None
    return layer.macs * layer.weights.bits / 8


def _bound(layer: LayerWidths, cycles: int | None, hertz: float, memory: float | None) -> LayerBound | None:
    """Compute a layer's roofs; None when nothing is known of it. `hertz` is the clock, `memory` in bytes/s."""
    roofs: dict[str, float] = {}
    if layer.macs and layer.macs_per_cycle:
        roofs[COMPUTE] = hertz * layer.macs_per_cycle / layer.macs
    elif cycles:
        roofs[CYCLES] = hertz / cycles
    streams = (STREAM_IN, layer.input, layer.input_width), (STREAM_OUT, layer.output, layer.output_width)
    for roof, numbers, width in streams:
        if numbers is not None and numbers.total_bits and width:
            roofs[roof] = hertz * width / numbers.total_bits
    external = _external_bytes(layer)
    if external and memory is not None:
        roofs[MEMORY] = memory / external
    if not roofs:
        return None
    bound = min(roofs, key=lambda roof: roofs[roof])
    entering, leaving = _bytes(layer.input), _bytes(layer.output)
    streamed = entering + leaving if entering is not None and leaving is not None else None
    operations = 2 * layer.macs if layer.macs is not None else None
    traffic = streamed + (external or 0) if streamed is not None else None
    return LayerBound(
        name=layer.name,
        roofs_fps=roofs,
        bound=bound,
        attainable_fps=roofs[bound],
        operations=operations,
        stream_bytes=streamed,
        external_bytes=external,
        intensity=operations / traffic if operations is not None and traffic else None,
        peak_gops=2 * layer.macs_per_cycle * hertz / 1e9 if layer.macs_per_cycle else None,
        attainable_gops=operations * roofs[bound] / 1e9 if operations is not None else None,
    )


def _find_contradiction(layer: LayerWidths, cycles: int | None) -> str | None:
    if cycles is None or not layer.macs or not layer.macs_per_cycle:
        return None
    folded = layer.macs / layer.macs_per_cycle
    if folded == cycles:
        return None
    return (
        f"{layer.name}: FINN estimates {cycles:,} cycles, but the folding gives {folded:,.10g}: "
        "are both from one build?"
    )


def find_bounds(metrics: BuildMetrics, widths: BitWidths, memory_gb_s: float | None = None) -> Bounds:
    """Find the bounds of a folded hardware graph at the requested clock.

    Raises ValueError when the clock is unknown, no layer is folded, or `widths` is of another graph.
    """
    clock = find_target_clock(metrics.clock)
    if clock is None:
        raise ValueError("the metrics have no clock")
    hertz = clock * 1e6
    memory = memory_gb_s * 1e9 if memory_gb_s is not None else None
    cycles = {layer.name: layer.cycles for layer in metrics.layers}
    found = [(layer, _bound(layer, cycles.get(layer.name), hertz, memory)) for layer in widths.layers]
    layers = tuple(bound for _, bound in found if bound is not None)
    if not any(layer.peak_gops for layer in layers):
        raise ValueError("no layer is folded, so bit_widths is not of a hardware graph")
    if cycles and not any(layer.name in cycles for layer in layers):
        raise ValueError("the metrics have none of these layers, so bit_widths is of another graph")
    unknown = [
        layer.name for layer, bound in found if bound is None and layer.operator.partition("_")[0] not in _FLOW
    ]
    warnings = [f"nothing is known of {', '.join(unknown)}"] if unknown else []
    warnings += [text for layer, _ in found if (text := _find_contradiction(layer, cycles.get(layer.name)))]
    if memory is None:
        warnings.append("memory_gb_s is not set, so external memory bounds nothing here")
    ends = [_bytes(numbers) for numbers in (*widths.inputs, *widths.outputs)]
    known = [size for size in ends if size is not None]
    external = None
    if ends and len(known) == len(ends):
        external = sum(known) + sum(layer.external_bytes or 0 for layer in layers)
    roofs = {f"{layer.name}: {layer.bound}": layer.attainable_fps for layer in layers}
    memory_fps = memory / external if memory is not None and external else None
    if memory_fps is not None:
        roofs[MEMORY] = memory_fps
    lowest = min(roofs.values())
    operations = sum(layer.operations for layer in layers if layer.operations is not None)
    return Bounds(
        clock_mhz=clock,
        layers=layers,
        attainable_fps=lowest,
        bounds=tuple(name for name, fps in roofs.items() if fps == lowest),
        memory_gb_s=memory_gb_s,
        memory_fps=memory_fps,
        operations=operations,
        external_bytes=external,
        intensity=operations / external if external else None,
        peak_gops=sum(layer.peak_gops or 0 for layer in layers),
        attainable_gops=operations * lowest / 1e9,
        warnings=tuple(warnings),
    )
