"""A design written by hand: `fork_0` feeds `join_0` through the FIFO `short`, and through `work`.

`work` keeps a frame and adds 1 to each value, `join_0` adds its two inputs: a frame x becomes 2 x + 1.
"""

from pathlib import Path
from typing import Any

import numpy as np
from bskernel_executors.exchange.design import DESIGN, Design, Fifo, Stream, StreamFormat
from bskernel_executors.finn_step.stream_graph import LayerInstance, Port, find_edges
from bskernel_executors.finn_step.top_module import write_top
from bskernel_protocol import pretty_json

BEATS = 8
FRAMES = np.arange(6 * BEATS).reshape(6, BEATS)
# What each tensor carries, and the text of each layer's module.
TENSORS = {"x": FRAMES, "a": FRAMES, "b": FRAMES, "c": FRAMES, "d": FRAMES + 1, "y": 2 * FRAMES + 1}
LAYERS = {"fork_0": ("x", "a b"), "short": ("a", "c"), "work": ("b", "d"), "join_0": ("c d", "y")}
BODIES = {
    "fork_0": """
	reg [1:0] done = 0;
	assign out0_V_TDATA = in0_V_TDATA, out1_V_TDATA = in0_V_TDATA;
	assign out0_V_TVALID = in0_V_TVALID && !done[0], out1_V_TVALID = in0_V_TVALID && !done[1];
	wire [1:0] now = done | {out1_V_TVALID && out1_V_TREADY, out0_V_TVALID && out0_V_TREADY};
	assign in0_V_TREADY = &now;
	always @(posedge ap_clk) done <= !ap_rst_n || &now ? 0 : now;
""",
    "short": """
	reg [7:0] memory [0:DEPTH-1];
	reg [31:0] first = 0, held = 0, most = 0;
	assign in0_V_TREADY = held < DEPTH, out0_V_TVALID = held != 0, out0_V_TDATA = memory[first];
	assign count = held, maxcount = most;
	wire push = in0_V_TVALID && in0_V_TREADY, pop = out0_V_TVALID && out0_V_TREADY;
	always @(posedge ap_clk) if (ap_rst_n) begin
		if (push) memory[(first + held) % DEPTH] <= in0_V_TDATA;
		if (pop) first <= (first + 1) % DEPTH;
		held <= held + 32'(push) - 32'(pop);
		if (held + 32'(push) > most) most <= held + 32'(push);
	end
""",
    "work": """
	reg [7:0] frame [0:BEATS-1];
	reg [31:0] taken = 0, given = 0, frames = 0;
	assign in0_V_TREADY = taken < BEATS, out0_V_TVALID = taken == BEATS;
	assign out0_V_TDATA = frame[given] + (frames == WRONG && given == 3 ? 2 : 1);
	always @(posedge ap_clk) if (ap_rst_n) begin
		if (in0_V_TVALID && in0_V_TREADY) begin
			frame[taken] <= in0_V_TDATA;
			taken <= taken + 1;
		end
		if (out0_V_TVALID && out0_V_TREADY) begin
			given <= given == BEATS - 1 ? 0 : given + 1;
			if (given == BEATS - 1) begin
				taken <= 0;
				frames <= frames + 1;
			end
		end
	end
""",
    "join_0": """
	assign out0_V_TDATA = in0_V_TDATA + in1_V_TDATA;
	assign out0_V_TVALID = in0_V_TVALID && in1_V_TVALID;
	assign in0_V_TREADY = out0_V_TREADY && in1_V_TVALID, in1_V_TREADY = out0_V_TREADY && in0_V_TVALID;
""",
}


def _write_module(name: str, depth: int, wrong: int) -> str:
    takes, gives = (tensors.split() for tensors in LAYERS[name])
    ports = ["input ap_clk", "input ap_rst_n"]
    for side, count, into, back in (("in", len(takes), "input", "output"), ("out", len(gives), "output", "input")):
        for at in range(count):
            stream = f"{side}{at}_V"
            ports += [f"{into} [7:0] {stream}_TDATA", f"{into} {stream}_TVALID", f"{back} {stream}_TREADY"]
    ports += ["output [31:0] count", "output [31:0] maxcount"] if name == "short" else []
    listed = ",\n".join(f"\t{port}" for port in ports)
    numbers = f"\tlocalparam BEATS = {BEATS}, DEPTH = {depth}, WRONG = {wrong};"
    return f"module {name} (\n{listed}\n);\n{numbers}{BODIES[name]}endmodule\n"


def write_branching_rtl(folder: Path, *, depth: int, wrong: int = -1) -> None:
    """Write rtl, reference and expected (of 2 frames) into a folder; `work` errs in beat 3 of frame `wrong`."""
    modules = {name: _write_module(name, depth, wrong) for name in LAYERS}
    layers = [
        LayerInstance(
            name=name,
            module=name,
            source=modules[name],
            inputs=tuple(Port(name=f"in{at}_V", tensor=tensor, width=8) for at, tensor in enumerate(takes.split())),
            outputs=tuple(Port(name=f"out{at}_V", tensor=tensor, width=8) for at, tensor in enumerate(gives.split())),
            is_fifo=name == "short",
        )
        for name, (takes, gives) in LAYERS.items()
    ]
    shape = StreamFormat(width=8, beats=BEATS, parallel=1, bits=8, signed=False, datatype="UINT8", shape=(1, BEATS))
    design = Design(
        sources=("layers.sv", "top.sv"),
        input=shape,
        output=shape,
        layers=tuple(LAYERS),
        fifos=(Fifo(name="short", width=8, depth=depth),),
        smallest_fifo=2,
        streams=tuple(
            Stream(name=edge.name, tensor=edge.tensor, source=edge.source, sink=edge.sink, format=shape)
            for edge in find_edges(layers, "x", "y")
        ),
        estimated_cycles=2 * BEATS,
    )
    files = {
        "layers.sv": "".join(modules.values()),
        "top.sv": write_top(layers, "x", "y"),
        DESIGN: pretty_json(design),
    }
    for name in ("rtl", "reference", "expected"):
        (folder / name).mkdir(parents=True)
    for name, text in files.items():
        (folder / "rtl" / name).write_text(text)
    np.save(folder / "reference" / "inputs.npy", TENSORS["x"])
    np.save(folder / "reference" / "outputs.npy", TENSORS["y"])
    save: Any = np.savez
    save(folder / "expected" / "tensors.npz", **{name: values[:2] for name, values in TENSORS.items()})
