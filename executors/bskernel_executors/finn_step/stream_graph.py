"""The graph that layers and streams make: what a stitched design connects. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's end at a layer."""

    name: str  # of the AXI stream, e.g. in0_V
    tensor: str
    width: int  # bits of TDATA


class LayerInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A layer in the top module: its module, its streams, and the weight memory beside it."""

    name: str
    module: str
    source: str  # text of the module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    memory: str | None = None  # module of the weight memory
    memory_source: str = ""
    memory_width: int = 0
    is_fifo: bool = False


class StreamEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A stream from a layer's output to a layer's input; a missing layer is the outside of the design."""

    name: str  # SOURCE -> SINK, unique
    signal: str  # prefix of its wires
    tensor: str
    width: int
    source: str | None
    sink: str | None
    output: int = 0  # which output of the source
    input: int = 0  # which input of the sink


def find_edges(layers: Sequence[LayerInstance], taken: str, given: str) -> tuple[StreamEdge, ...]:
    """Find the streams in the order of the layers that take them; the design's output comes last.

    `taken` and `given` are the tensors that enter and leave the design. Raises ValueError, with the layers' names,
    for a tensor without a source or without exactly one sink, and for ends that differ in width.
    """
    sources: dict[str, tuple[str | None, int, int | None]] = {taken: (None, 0, None)}
    for layer in layers:
        sources |= {port.tensor: (layer.name, at, port.width) for at, port in enumerate(layer.outputs)}
    sinks = [(port, layer.name, at) for layer in layers for at, port in enumerate(layer.inputs)]
    counts = Counter(port.tensor for port, _, _ in sinks)
    counts[given] += 1
    for tensor, (source, _, _) in sources.items():
        if counts[tensor] != 1:
            raise ValueError(
                f"{source or 'the design'}: stream {tensor} goes to {counts[tensor]} places, but a stream goes to one"
            )
    found = []
    for port, sink, at in sinks:
        if port.tensor not in sources:
            raise ValueError(f"{sink} takes {port.tensor}, which no layer outputs")
        source, output, width = sources[port.tensor]
        if width is not None and width != port.width:
            raise ValueError(f"{source} outputs {width} bits, but {sink} takes {port.width}")
        found.append(_make_edge(port.tensor, port.width, source, sink, output=output, at=at))
    source, output, width = sources[given]
    if width is None:
        raise ValueError("the design has no layers between its input and its output")
    found.append(_make_edge(given, width, source, None, output=output))
    names = Counter(edge.name for edge in found)
    return tuple(
        msgspec.structs.replace(edge, name=f"{edge.name} (in{edge.input})") if names[edge.name] > 1 else edge
        for edge in found
    )


def _make_edge(
    tensor: str, width: int, source: str | None, sink: str | None, *, output: int = 0, at: int = 0
) -> StreamEdge:
    return StreamEdge(
        name=f"{source or 'input'} -> {sink or 'output'}",
        signal=f"{source}_out{output}" if source else "from_input",
        tensor=tensor,
        width=width,
        source=source,
        sink=sink,
        output=output,
        input=at,
    )
