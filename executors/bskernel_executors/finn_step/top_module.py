"""Write the top module of a graph of generated layers. Pure.

It makes the same connections as FINN's block design in Vivado, but in SystemVerilog that open tools read: streams
between layers, weight memories beside their layers, ports of run-time access tied off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bskernel_executors.finn_step.stream_graph import LayerInstance, StreamEdge, find_edges

_PORT = re.compile(r"^\s*input\s+(?:wire\s+|logic\s+)?(?:\[[^;]*?\]\s*)?(\w+)\s*,?\s*(?://.*)?$", re.MULTILINE)
_STREAM = ("TDATA", "TVALID", "TREADY")


def find_input_ports(source: str) -> tuple[str, ...]:
    """Find the input ports of a module. FINN's templates write one per line."""
    head = source.partition("endmodule")[0]
    return tuple(dict.fromkeys(_PORT.findall(head)))


def _instance(module: str, name: str, ports: dict[str, str]) -> str:
    lines = ",\n".join(f"\t\t.{port}({signal})" for port, signal in ports.items())
    return f"\t{module} {name} (\n{lines}\n\t);\n"


def _connect(source: str, given: dict[str, str]) -> dict[str, str]:
    """Return the given connections, with every other input tied to 0."""
    return given | {port: "'0" for port in find_input_ports(source) if port not in given}


def _streams(prefix: str, signal: str) -> dict[str, str]:
    return {f"{prefix}_{part}": f"{signal}_{part.lower()}" for part in _STREAM}


def _declare(signal: str, width: int) -> str:
    return f"\twire [{width - 1}:0] {signal}_tdata;\n\twire {signal}_tvalid, {signal}_tready;\n"


def _write_monitor(fifos: Sequence[str], edges: Sequence[StreamEdge]) -> tuple[str, str]:
    """Write ports and body of what only a simulation observes; synthesis does not define the macros."""
    counts = f",\n\toutput wire [{32 * len(fifos) - 1}:0] fifo_maxcount" if fifos else ""
    limits = f",\n\tinput wire [{32 * len(fifos) - 1}:0] fifo_limit" if fifos else ""
    ports = f"""
`ifdef BSKERNEL_MONITOR
	,
	output wire [{len(edges) - 1}:0] stream_valid,
	output wire [{len(edges) - 1}:0] stream_ready{counts}
`endif
`ifdef BSKERNEL_THROTTLE{limits}
`endif"""
    body = "".join(
        f"\tassign stream_valid[{at}] = {edge.signal}_tvalid, stream_ready[{at}] = {edge.signal}_tready;\n"
        for at, edge in enumerate(edges)
    )
    body += "".join(f"\tassign fifo_maxcount[{32 * at} +: 32] = {name}_maxcount;\n" for at, name in enumerate(fifos))
    taps = "".join(
        f'\tint tap{at};\n\tinitial tap{at} = $fopen("taps/{at}.bin", "wb");\n'
        f"\talways @(posedge ap_clk) if (ap_rst_n && {edge.signal}_tvalid && {edge.signal}_tready) "
        f'$fwrite(tap{at}, "%u", {edge.signal}_tdata);\n'
        for at, edge in enumerate(edges)
    )
    return ports, f"`ifdef BSKERNEL_MONITOR\n{body}`endif\n`ifdef BSKERNEL_TAPS\n{taps}`endif\n"


def _write_fifo(layer: LayerInstance, given: dict[str, str], at: int) -> str:
    """Write a FIFO, and the one that a simulation may limit to any number of values."""
    elastic = {**given, "limit": f"fifo_limit[{32 * at} +: 32]"}
    width = f"#(.WIDTH({layer.inputs[0].width}))"
    return (
        f"`ifdef BSKERNEL_THROTTLE\n{_instance(f'bskernel_elastic_fifo {width}', f'{layer.name}_i', elastic)}"
        f"`else\n{_instance(layer.module, f'{layer.name}_i', _connect(layer.source, given))}`endif\n"
    )


def write_top(layers: Sequence[LayerInstance], taken: str, given: str) -> str:
    """Write the top module of layers in an order in which streams flow.

    `taken` and `given` are the tensors that enter and leave the design. Raises ValueError like `find_edges`.
    """
    edges = find_edges(layers, taken, given)
    first = next(edge for edge in edges if edge.source is None)
    last = edges[-1]
    signals = {edge.tensor: edge.signal for edge in edges}
    fifos = [layer.name for layer in layers if layer.is_fifo]
    # Signals come before instances: a signal used before its declaration would become a wire of one bit.
    declared = [_declare(edge.signal, edge.width) for edge in edges]
    declared += [f"\twire [31:0] {name}_count, {name}_maxcount;\n" for name in fifos]
    body = []
    for layer in layers:
        clocks = {"ap_clk": "ap_clk", "ap_rst_n": "ap_rst_n"}
        ports = dict(clocks)
        for port in (*layer.inputs, *layer.outputs):
            ports |= _streams(port.name, signals[port.tensor])
        if layer.is_fifo:
            ports |= {"count": f"{layer.name}_count", "maxcount": f"{layer.name}_maxcount"}
            body.append(_write_fifo(layer, ports, fifos.index(layer.name)))
            continue
        if "ap_clk2x" in find_input_ports(layer.source):
            ports["ap_clk2x"] = "ap_clk"
        if layer.memory is not None:
            weights = f"{layer.name}_weights"
            declared.append(_declare(weights, layer.memory_width))
            ports |= _streams("in1_V", weights)
            stream = {f"m_axis_0_{part.lower()}": f"{weights}_{part.lower()}" for part in _STREAM}
            memory = _connect(layer.memory_source, clocks | {"ap_clk2x": "ap_clk"} | stream)
            body.append(_instance(layer.memory, f"{layer.name}_memory", memory))
        body.append(_instance(layer.module, f"{layer.name}_i", _connect(layer.source, ports)))
    observed, monitor = _write_monitor(fifos, edges)
    return f"""// {len(layers)} instances and the {len(edges)} streams between them; made by bskernel.
module bskernel_top (
	input wire ap_clk,
	input wire ap_rst_n,
	input wire [{first.width - 1}:0] in0_V_TDATA,
	input wire in0_V_TVALID,
	output wire in0_V_TREADY,
	output wire [{last.width - 1}:0] out0_V_TDATA,
	output wire out0_V_TVALID,
	input wire out0_V_TREADY{observed}
);
{"".join(declared)}{"".join(body)}
	assign {first.signal}_tdata = in0_V_TDATA;
	assign {first.signal}_tvalid = in0_V_TVALID;
	assign in0_V_TREADY = {first.signal}_tready;
	assign out0_V_TDATA = {last.signal}_tdata;
	assign out0_V_TVALID = {last.signal}_tvalid;
	assign {last.signal}_tready = out0_V_TREADY;
{monitor}endmodule
"""


def order_sources(names: Iterable[str]) -> tuple[str, ...]:
    """Sort sources: packages first, then libraries, then generated modules, the top last."""

    def rank(name: str) -> tuple[int, str]:
        if name.endswith("_pkg.sv"):
            return 0, name
        return (3 if name == "top.sv" else 1 if name.startswith("lib/") else 2), name

    return tuple(sorted(set(names), key=rank))
