"""The layers of an accelerator, from its model, its metrics and its simulation. Pure.

Nothing is known of FINN's operators but that a StreamingFIFO is a FIFO: whatever else a node is, it is a layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bskernel.core.model_graph import ModelGraph, ModelNode

_FIFO = "StreamingFIFO"
_FOLDS = ("PE", "SIMD")
_ATTRIBUTES = {"input": "inputDataType", "weights": "weightDataType", "output": "outputDataType"}


class FifoUse(msgspec.Struct, frozen=True, kw_only=True):
    """A FIFO between two layers."""

    name: str
    depth: int | None = None  # values, as asked for
    held: int | None = None  # the most values that it held in the simulation


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A stream into a layer."""

    source: int | None  # the number of the layer that it comes from; None for the accelerator's input
    fifos: tuple[FifoUse, ...] = ()
    shape: tuple[int | None, ...] | None = None
    datatype: str | None = None


class LayerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One layer. What nothing states is absent: None, or not in the dictionary."""

    name: str
    operator: str | None = None
    links: tuple[Link, ...] = ()  # its input streams
    output_shape: tuple[int | None, ...] | None = None
    input_type: str | None = None  # QONNX's data types, e.g. UINT4
    weight_type: str | None = None
    output_type: str | None = None
    weight_shape: tuple[int | None, ...] | None = None
    folding: dict[str, Any] = {}  # PE and SIMD
    settings: dict[str, Any] = {}  # the other folding attributes
    cycles: int | None = None  # per execution, as FINN estimates
    share: float | None = None  # of the cycles of all layers
    busy: float | None = None  # of the slowest layer's cycles
    counts: dict[str, dict[str, float]] = {}  # stage -> resource -> count
    stalled: float | None = None  # share of simulated cycles in which an output was valid, but not taken
    starved: float | None = None  # share of simulated cycles in which it waited for an input
    bottleneck: bool = False

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """The shape of its first input stream."""
        return self.links[0].shape if self.links else None

    @property
    def latest_counts(self) -> tuple[str, dict[str, float]]:
        """The stage nearest to the hardware that has counts, and these; an empty stage without any."""
        return next(((stage, counts) for stage, counts in reversed(self.counts.items()) if counts), ("", {}))


class _StreamCycles(msgspec.Struct, frozen=True, kw_only=True):
    moved: int = 0
    back_pressure: int = 0
    starved: int = 0


class SimulationView(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of simulation.json that the page draws."""

    total_cycles: int | None = None
    frames: int | None = None
    mismatches: int | None = None
    fifo_depths: dict[str, int] = {}
    fifo_maxima: dict[str, int] = {}
    streams: dict[str, _StreamCycles] = {}


class _MetricsLayer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    cycles: int | None = None
    folding: dict[str, Any] = {}
    resources: dict[str, float] = {}
    synthesized: dict[str, float] = {}
    routed: dict[str, float] = {}
    bottleneck: bool = False


def find_layers(
    metrics: Mapping[str, Any] | None, graph: ModelGraph | None, simulation: SimulationView | None = None
) -> tuple[LayerFacts, ...]:
    """All layers: those of the graph in its order, then those that only the metrics name."""
    known = {layer.name: layer for layer in _layers_of(metrics)}
    simulation = simulation or SimulationView()
    nodes = graph.nodes if graph is not None else ()
    fifos = {tensor: node for node in nodes if node.operator.startswith(_FIFO) for tensor in node.outputs}
    named = [
        (node.name or f"{node.operator} {at}", node)
        for at, node in enumerate(nodes)
        if not node.operator.startswith(_FIFO)
    ]
    makers = {tensor: number for number, (_, node) in enumerate(named) for tensor in node.outputs if tensor}
    cycles = {name: layer.cycles for name, layer in known.items() if layer.cycles is not None}
    total, slowest = sum(cycles.values()), max(cycles.values(), default=0)
    found = []
    for name, node in [*named, *((name, None) for name in known if name not in dict(named))]:
        layer = known.get(name)
        count = cycles.get(name)
        folding = dict(layer.folding) if layer is not None else {}
        values = node.attributes if node is not None else {}
        # The model is what was built. The metrics may hold FINN's own folding, which a later step has replaced.
        folds = {key: values.get(key, folding.get(key)) for key in _FOLDS}
        drawn = LayerFacts(
            name=name,
            folding={key: value for key, value in folds.items() if value is not None},
            settings={key: values.get(key, value) for key, value in folding.items() if key not in _FOLDS},
            cycles=count,
            share=count / total if count is not None and total else None,
            busy=count / slowest if count is not None and slowest else None,
            counts=_counts(layer),
            bottleneck=layer is not None and (layer.bottleneck or (count is not None and 0 < slowest == count)),
        )
        if node is not None and graph is not None:
            drawn = _with_node(drawn, node, graph, fifos, makers, simulation)
        found.append(drawn)
    return tuple(found)


def _layers_of(metrics: Mapping[str, Any] | None) -> list[_MetricsLayer]:
    """The layers in metrics.json. An executor may mean something else by `layers`: then there are none."""
    try:
        return msgspec.convert((metrics or {}).get("layers", []), list[_MetricsLayer], strict=True)
    except msgspec.ValidationError:
        return []


def _counts(layer: _MetricsLayer | None) -> dict[str, dict[str, float]]:
    if layer is None:
        return {}
    stages = {"estimate": layer.resources, "synth": layer.synthesized, "routed": layer.routed}
    return {stage: dict(counts) for stage, counts in stages.items() if counts}


def _with_node(
    layer: LayerFacts,
    node: ModelNode,
    graph: ModelGraph,
    fifos: Mapping[str, ModelNode],
    makers: Mapping[str, int],
    simulation: SimulationView,
) -> LayerFacts:
    streams = [tensor for tensor in node.inputs if tensor and tensor not in graph.initializers]
    weights = next((graph.tensors.get(tensor) for tensor in node.inputs if tensor in graph.initializers), None)
    output = graph.tensors.get(node.outputs[0]) if node.outputs else None
    types = {part: _text(node.attributes.get(key)) for part, key in _ATTRIBUTES.items()}
    links = tuple(_link(tensor, graph, fifos, makers, simulation) for tensor in streams)
    given, taken = _streams(simulation, layer.name)
    return msgspec.structs.replace(
        layer,
        operator=node.operator,
        links=links,
        output_shape=output.shape if output is not None else None,
        input_type=types["input"] or (links[0].datatype if links else None),
        weight_type=(weights.datatype if weights is not None else None) or (types["weights"] if weights else None),
        output_type=types["output"] or (output.datatype if output is not None else None),
        weight_shape=weights.shape if weights is not None else None,
        stalled=max((one.back_pressure / _cycles(one, simulation) for one in given), default=None),
        starved=max((one.starved / _cycles(one, simulation) for one in taken), default=None),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _link(
    tensor: str,
    graph: ModelGraph,
    fifos: Mapping[str, ModelNode],
    makers: Mapping[str, int],
    simulation: SimulationView,
) -> Link:
    """The stream behind a tensor, through the FIFOs on its way."""
    between: list[FifoUse] = []
    at, seen = tensor, {tensor}
    while at in fifos:
        node = fifos[at]
        depth = simulation.fifo_depths.get(node.name, node.attributes.get("depth"))
        between.append(
            FifoUse(
                name=node.name,
                depth=depth if isinstance(depth, int) else None,
                held=simulation.fifo_maxima.get(node.name),
            )
        )
        before = next((name for name in node.inputs if name), None)
        if before is None or before in seen:
            break
        at = before
        seen.add(at)
    here = graph.tensors.get(tensor) or graph.tensors.get(at)
    return Link(
        source=makers.get(at),
        fifos=tuple(reversed(between)),
        shape=here.shape if here is not None else None,
        datatype=here.datatype if here is not None else None,
    )


def _streams(simulation: SimulationView, name: str) -> tuple[list[_StreamCycles], list[_StreamCycles]]:
    """The streams that a layer makes, and those that it takes, by their names SOURCE -> SINK."""
    given, taken = [], []
    for stream, cycles in simulation.streams.items():
        source, _, sink = stream.partition(" -> ")
        if source == name:
            given.append(cycles)
        if sink == name:
            taken.append(cycles)
    return given, taken


def _cycles(stream: _StreamCycles, simulation: SimulationView) -> int:
    return simulation.total_cycles or stream.moved + stream.back_pressure + stream.starved or 1


def bottlenecks(layers: Sequence[LayerFacts]) -> tuple[LayerFacts, ...]:
    """The layers that set the pace: those that the metrics name, or that are equally slow."""
    return tuple(layer for layer in layers if layer.bottleneck)


def runner_up(layers: Sequence[LayerFacts]) -> LayerFacts | None:
    """The slowest of the other layers; None without one."""
    others = [layer for layer in layers if layer.cycles is not None and not layer.bottleneck]
    return max(others, key=lambda layer: layer.cycles or 0, default=None)
