"""A stitched design as a folder that another project can take: sources, testbench, packaging for Vivado. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import Design, StreamFormat
from bskernel_executors.exchange.simulation import Simulation
from bskernel_executors.lattice.devices import is_lattice, name_family
from bskernel_executors.rtl_sim.beats import pack
from bskernel_executors.rtl_sim.simulator import count_outer_patience
from bskernel_executors.sdk import StepFailure

TOP, TESTBENCH = "accelerator", "testbench.sv"
_MEMORIES = '"mem/'  # where the design's sources look for their memories


def flatten_sources(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return a design's sources and memories by bare names, for tools that look for memories beside the sources.

    Raises StepFailure (kernel) when two files have one name.
    """
    flat: dict[str, bytes] = {}
    for path, data in sorted(files.items()):
        name = PurePosixPath(path).name
        if name in flat:
            raise StepFailure(category="kernel", message=f"two files of the design are called {name}")
        flat[name] = data.replace(_MEMORIES.encode(), b'"') if name.endswith((".v", ".sv")) else data
    return flat


def write_wrapper(design: Design) -> str:
    """Write the module to instantiate: plain Verilog for block designs, streams by their usual names."""
    marked = '\t(* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axis:m_axis, ASSOCIATED_RESET ap_rst_n" *)\n'
    return f"""// The accelerator: frames in at s_axis, results out at m_axis; README.md has their format.
module {TOP} (
{marked}	input wire ap_clk,
	input wire ap_rst_n,
	input wire [{design.input.width - 1}:0] s_axis_tdata,
	input wire s_axis_tvalid,
	output wire s_axis_tready,
	output wire [{design.output.width - 1}:0] m_axis_tdata,
	output wire m_axis_tvalid,
	input wire m_axis_tready
);
	{design.top} design_i (
		.ap_clk(ap_clk),
		.ap_rst_n(ap_rst_n),
		.in0_V_TDATA(s_axis_tdata),
		.in0_V_TVALID(s_axis_tvalid),
		.in0_V_TREADY(s_axis_tready),
		.out0_V_TDATA(m_axis_tdata),
		.out0_V_TVALID(m_axis_tvalid),
		.out0_V_TREADY(m_axis_tready)
	);
endmodule
"""


def write_frames(values: NDArray[np.int64], stream: StreamFormat) -> str:
    """Write frames of shape (N, values) as hexadecimal beats, one per line, for $readmemh."""
    return "".join(f"{bytes(beat[::-1]).hex()}\n" for beat in pack(values, stream))


def write_frames_package(design: Design, frames: int, clock_ns: float) -> str:
    """Write the numbers that the testbench needs."""
    return f"""package frames_pkg;
	localparam int FRAMES = {frames}, BEATS_IN = {design.input.beats}, BEATS_OUT = {design.output.beats};
	localparam int WIDTH_IN = {design.input.width}, WIDTH_OUT = {design.output.width};
	localparam int BITS_OUT = {design.output.parallel * design.output.bits};
	localparam int PATIENCE = {count_outer_patience(design)};
	localparam real PERIOD_NS = {clock_ns};
	localparam string FOLDER = "../testbench/";
endpackage
"""


def write_constraints(part: str, clock_ns: float) -> tuple[str, str]:
    """Write the clock constraint for the part's tools: the file's name and its text."""
    if is_lattice(part):
        mhz = f"{1e3 / clock_ns:.6g}"
        if name_family(part) == "ice40":
            return "constraints.pcf", f"set_frequency ap_clk {mhz}\n"
        return "constraints.lpf", f'FREQUENCY PORT "ap_clk" {mhz} MHZ;\n'
    return "constraints.xdc", f"create_clock -name ap_clk -period {clock_ns:.3f} [get_ports ap_clk]\n"


def write_packaging(sources: tuple[str, ...], memories: tuple[str, ...], part: str) -> str:
    """Write the Tcl script that packages the design as an IP. Raises StepFailure (config) for what is no part."""
    if re.fullmatch(r"[\w-]+", part) is None:
        raise StepFailure(category="config", message=f"part {part!r} is no name of a part")
    listed = " \\\n".join(f"\t$here/rtl/{name}" for name in sources)
    script = f"""# Packages the design as an IP for Vivado's catalogue, in the folder ip.
# vivado -mode batch -source package_ip.tcl
set here [file dirname [file normalize [info script]]]
set part {part}

create_project package $here/project -part $part -force
add_files -norecurse [list \\
{listed}]
"""
    if memories:
        listed = " \\\n".join(f"\t$here/rtl/{name}" for name in memories)
        script += f"""add_files -norecurse [list \\
{listed}]
set_property file_type {{Memory Initialization Files}} [get_files *.dat]
"""
    return f"""{script}set_property top {TOP} [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir $here/ip -vendor bskernel -library dataflow -taxonomy /UserIP -import_files
set core [ipx::current_core]
ipx::associate_bus_interfaces -busif s_axis -clock ap_clk $core
ipx::associate_bus_interfaces -busif m_axis -clock ap_clk $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::save_core $core
close_project
"""


def _describe(port: str, stream: StreamFormat) -> str:
    shape = " x ".join(map(str, stream.shape))
    return (
        f"| {port} | {stream.width} | {shape} of {stream.datatype} | {stream.beats} | {stream.parallel} "
        f"| {stream.bits} |"
    )


_VIVADO = """## Take it to Vivado

    vivado -mode batch -source package_ip.tcl

The IP is then in the folder ip. This script has only been run against a stand-in for Vivado.
"""
_LATTICE = """## Take it to a device of Lattice's

FINN wrote these sources for AMD's primitives. bskernel's flows `ecp5` and `ice40` edit them for Yosys, place and
route them, and pack a bitstream.
"""


def write_readme(design: Design, simulation: Simulation, part: str, clock_ns: float) -> str:
    """Write what a stranger needs to use the folder."""
    packaging = "" if is_lattice(part) else "| package_ip.tcl | packages the design as an IP for Vivado |\n"
    constraints, _ = write_constraints(part, clock_ns)
    pace = simulation.cycles_per_frame
    rows = {
        "frames simulated, every output equal to Python's": f"{simulation.frames}",
        "cycles per frame": f"{pace:.6g}" if pace is not None else None,
        "cycles from a frame's first beat to its last result": f"{simulation.latency_cycles}",
        "clock that was asked for": f"{clock_ns:g} ns; nothing here says that a device reaches it",
    }
    measured = "\n".join(f"| {name} | {value} |" for name, value in rows.items() if value is not None)
    return f"""# A dataflow accelerator

Made by bskernel.

| what | value |
|---|---|
{measured}

| file | what |
|---|---|
| rtl/{TOP}.v | the module to instantiate: ap_clk, ap_rst_n (active low), s_axis, m_axis |
| rtl/files.f | all sources, in the order in which tools must read them |
| rtl/*.dat | memories, which tools must find beside the sources |
| testbench/ | a testbench that checks itself, and its frames |
| {constraints} | the clock |
{packaging}
## Streams

AXI streams without TLAST. The first value of a frame comes first (C order), the first value of a beat is in the
lowest bits. High bits that no value takes carry nothing.

| port | bits of TDATA | frame | beats per frame | values per beat | bits per value |
|---|---|---|---|---|---|
{_describe("s_axis", design.input)}
{_describe("m_axis", design.output)}

## Simulate it

    cd rtl
    verilator --binary --timing --assert -Wno-fatal -Wno-lint -Wno-style -Wno-TIMESCALEMOD \\
        --top-module testbench --Mdir ../obj -f files.f ../testbench/frames_pkg.sv ../testbench/testbench.sv
    ../obj/Vtestbench
    ../obj/Vtestbench +stall=50

It prints PASS, or the first wrong beats and FAIL. `+stall=50` holds both streams back in half of the cycles.

{_LATTICE if is_lattice(part) else _VIVADO}"""


def export_design(
    design: Design,
    files: Mapping[str, bytes],
    inputs: NDArray[np.int64],
    outputs: NDArray[np.int64],
    simulation: Simulation,
    *,
    part: str,
    clock_ns: float,
) -> dict[str, bytes]:
    """Make all generated files of the folder; `files` are the design's sources and memories by their paths.

    `inputs` and `outputs` are frames of shape (N, values). Raises StepFailure: kernel, config.
    """
    flat = flatten_sources(files)
    sources = (*(PurePosixPath(source).name for source in design.sources), f"{TOP}.v")
    memories = tuple(sorted(set(flat) - set(sources)))
    constraints, clock = write_constraints(part, clock_ns)
    texts = {
        f"rtl/{TOP}.v": write_wrapper(design),
        "rtl/files.f": "".join(f"{name}\n" for name in sources),
        "testbench/frames_pkg.sv": write_frames_package(design, len(inputs), clock_ns),
        "testbench/inputs.hex": write_frames(inputs, design.input),
        "testbench/outputs.hex": write_frames(outputs, design.output),
        constraints: clock,
        "README.md": write_readme(design, simulation, part, clock_ns),
    }
    if not is_lattice(part):
        texts["package_ip.tcl"] = write_packaging(sources, memories, part)
    return {f"rtl/{name}": data for name, data in flat.items()} | {
        name: text.encode() for name, text in texts.items()
    }
