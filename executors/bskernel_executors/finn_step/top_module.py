"""Write the top module of a chain of generated layers. Pure.

It makes the same connections as FINN's block design in Vivado, but in SystemVerilog that open tools read: streams
between neighbours, weight memories beside their layers, ports of run-time access tied off.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

import msgspec

_PORT = re.compile(r"^\s*input\s+(?:wire\s+|logic\s+)?(?:\[[^;]*?\]\s*)?(\w+)\s*,?\s*(?://.*)?$", re.MULTILINE)
_STREAM = ("TDATA", "TVALID", "TREADY")


class LayerInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A layer in the top module: its module, its streams, and the weight memory beside it."""

    name: str
    module: str
    source: str  # text of the module
    width_in: int  # bits of TDATA
    width_out: int
    memory: str | None = None  # module of the weight memory
    memory_source: str = ""
    memory_width: int = 0
    is_fifo: bool = False


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


def _write_monitor(fifos: int, streams: int) -> tuple[str, str]:
    """Write ports and body of what only a simulation observes; synthesis does not define the macros."""
    counts = f",\n\toutput wire [{32 * fifos - 1}:0] fifo_maxcount" if fifos else ""
    limits = f",\n\tinput wire [{32 * fifos - 1}:0] fifo_limit" if fifos else ""
    ports = f"""
`ifdef BSKERNEL_MONITOR
	,
	output wire [{streams - 1}:0] stream_valid,
	output wire [{streams - 1}:0] stream_ready{counts}
`endif
`ifdef BSKERNEL_THROTTLE{limits}
`endif"""
    body = "".join(
        f"\tassign stream_valid[{at}] = s{at}_tvalid, stream_ready[{at}] = s{at}_tready;\n" for at in range(streams)
    )
    body += "".join(f"\tassign fifo_maxcount[{32 * at} +: 32] = f{at}_maxcount;\n" for at in range(fifos))
    return ports, f"`ifdef BSKERNEL_MONITOR\n{body}`endif\n"


def _write_fifo(layer: LayerInstance, stream: int, fifo: int) -> tuple[str, str]:
    """Write declarations and instance of a FIFO that a simulation may limit to fifo_limit values."""
    declared = f"\twire f{fifo}_open, f{fifo}_tready;\n\twire [31:0] f{fifo}_count, f{fifo}_maxcount;\n"
    gate = f"""`ifdef BSKERNEL_THROTTLE
	assign f{fifo}_open = f{fifo}_count < fifo_limit[{32 * fifo} +: 32];
`else
	assign f{fifo}_open = 1'b1;
`endif
	assign s{stream}_tready = f{fifo}_tready && f{fifo}_open;
"""
    ports = {
        "ap_clk": "ap_clk",
        "ap_rst_n": "ap_rst_n",
        "in0_V_TDATA": f"s{stream}_tdata",
        "in0_V_TVALID": f"(s{stream}_tvalid && f{fifo}_open)",
        "in0_V_TREADY": f"f{fifo}_tready",
        **_streams("out0_V", f"s{stream + 1}"),
        "count": f"f{fifo}_count",
        "maxcount": f"f{fifo}_maxcount",
    }
    return declared, gate + _instance(layer.module, f"{layer.name}_i", _connect(layer.source, ports))


def write_top(layers: Sequence[LayerInstance]) -> str:
    """Write the top module of a chain. Raises ValueError when the streams of two neighbours differ in width."""
    for left, right in itertools.pairwise(layers):
        if left.width_out != right.width_in:
            raise ValueError(f"{left.name} outputs {left.width_out} bits, but {right.name} takes {right.width_in}")
    fifos = 0
    # Signals come before instances: a signal used before its declaration would become a wire of one bit.
    signals, body = [], []
    for at, layer in enumerate(layers):
        signals.append(_declare(f"s{at}", layer.width_in))
        if layer.is_fifo:
            declared, instance = _write_fifo(layer, at, fifos)
            signals.append(declared)
            body.append(instance)
            fifos += 1
            continue
        clocks = {"ap_clk": "ap_clk", "ap_rst_n": "ap_rst_n"}
        given = clocks | _streams("in0_V", f"s{at}") | _streams("out0_V", f"s{at + 1}")
        if "ap_clk2x" in find_input_ports(layer.source):
            given["ap_clk2x"] = "ap_clk"
        if layer.memory is not None:
            signals.append(_declare(f"w{at}", layer.memory_width))
            given |= _streams("in1_V", f"w{at}")
            stream = {f"m_axis_0_{part.lower()}": f"w{at}_{part.lower()}" for part in _STREAM}
            memory = _connect(layer.memory_source, clocks | {"ap_clk2x": "ap_clk"} | stream)
            body.append(_instance(layer.memory, f"{layer.name}_memory", memory))
        body.append(_instance(layer.module, f"{layer.name}_i", _connect(layer.source, given)))
    last = len(layers)
    signals.append(_declare(f"s{last}", layers[-1].width_out))
    ports, monitor = _write_monitor(fifos, last + 1)
    return f"""// A flat chain of {len(layers)} instances; made by bskernel.
module bskernel_top (
	input wire ap_clk,
	input wire ap_rst_n,
	input wire [{layers[0].width_in - 1}:0] in0_V_TDATA,
	input wire in0_V_TVALID,
	output wire in0_V_TREADY,
	output wire [{layers[-1].width_out - 1}:0] out0_V_TDATA,
	output wire out0_V_TVALID,
	input wire out0_V_TREADY{ports}
);
{"".join(signals)}{"".join(body)}
	assign s0_tdata = in0_V_TDATA;
	assign s0_tvalid = in0_V_TVALID;
	assign in0_V_TREADY = s0_tready;
	assign out0_V_TDATA = s{last}_tdata;
	assign out0_V_TVALID = s{last}_tvalid;
	assign s{last}_tready = out0_V_TREADY;
{monitor}endmodule
"""


def order_sources(names: Iterable[str]) -> tuple[str, ...]:
    """Sort sources: packages first, then libraries, then generated modules, the top last."""

    def rank(name: str) -> tuple[int, str]:
        if name.endswith("_pkg.sv"):
            return 0, name
        return (3 if name == "top.sv" else 1 if name.startswith("lib/") else 2), name

    return tuple(sorted(set(names), key=rank))
