"""The flow ice40: a design on Lattice's iCE40 UP5K, routed with a clock and packed to a bitstream."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build, build_text
from support.paths import ROOT
from support.small_board import FRAMES, STREAMS, TOP, compute

pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: install g++, as .ci/run does"),
]
# The small network of the boards' tests as the one layer of a stitched design.
STITCHED = """module bskernel_top (
	input wire ap_clk,
	input wire ap_rst_n,
	input wire [7:0] in0_V_TDATA,
	input wire in0_V_TVALID,
	output wire in0_V_TREADY,
	output wire [15:0] out0_V_TDATA,
	output wire out0_V_TVALID,
	input wire out0_V_TREADY
);
	wire [7:0] from_input_tdata;
	wire from_input_tvalid, from_input_tready;
	wire [15:0] sums_out0_tdata;
	wire sums_out0_tvalid, sums_out0_tready;
	assign from_input_tdata = in0_V_TDATA, from_input_tvalid = in0_V_TVALID, in0_V_TREADY = from_input_tready;
	assign out0_V_TDATA = sums_out0_tdata, out0_V_TVALID = sums_out0_tvalid, sums_out0_tready = out0_V_TREADY;
	sums sums_i (
		.ap_clk(ap_clk),
		.ap_rst_n(ap_rst_n),
		.in0_V_TDATA(from_input_tdata),
		.in0_V_TVALID(from_input_tvalid),
		.in0_V_TREADY(from_input_tready),
		.out0_V_TDATA(sums_out0_tdata),
		.out0_V_TVALID(sums_out0_tvalid),
		.out0_V_TREADY(sums_out0_tready)
	);
endmodule
"""
SYNTHESIS = """
[[step]]
entry = "yosys-synth:partition"
inputs = { rtl = "rtl" }
[[step]]
name = "synthesize_layers"
entry = "yosys-synth:synthesize_lattice_layer"
each = "layer"
inputs = { layer = "partition.layers" }
[[step]]
entry = "yosys-synth:join_lattice"
inputs = { rtl = "rtl" }
"""
CHECK = """
[[step]]
entry = "rtl-sim:compile_library"
[[step]]
entry = "rtl-sim:compile"
inputs = { rtl = "rtl" }
[[step]]
entry = "rtl-sim:simulate"
inputs = { rtl = "rtl", reference = "reference" }
[[step]]
entry = "yosys-synth:model_lattice_netlist"
inputs = { rtl = "rtl" }
[[step]]
name = "compile_netlist"
entry = "rtl-sim:compile"
inputs = { rtl = "model_lattice_netlist.netlist" }
[[step]]
entry = "rtl-sim:check_netlist"
inputs = { reference = "reference" }
"""
ROUTE = """
[[step]]
entry = "nextpnr-route:route"
inputs = { rtl = "rtl" }
"""
CHECK_ROUTED = """
parameters = { write_netlist = true }
[[step]]
entry = "yosys-synth:model_routed_netlist"
inputs = { rtl = "rtl" }
[[step]]
name = "compile_routed"
entry = "rtl-sim:compile"
inputs = { rtl = "model_routed_netlist.netlist" }
[[step]]
entry = "rtl-sim:check_routed"
inputs = { reference = "reference" }
"""
PACK = """
[[step]]
entry = "nextpnr-route:pack"
"""


def write_inputs(folder: Path) -> None:
    rtl, reference = folder / "rtl", folder / "reference"
    rtl.mkdir()
    reference.mkdir()
    (rtl / "top.sv").write_text(STITCHED)
    (rtl / "sums.sv").write_text(TOP.replace("module bskernel_top", "module sums"))
    design = {"sources": ["sums.sv", "top.sv"], "layers": ["sums"], "fifos": [], "streams": [], "estimated_cycles": 9}
    (rtl / "design.json").write_text(json.dumps({**design, **STREAMS}))
    frames = np.random.default_rng(40).integers(-4, 4, size=(FRAMES, 12))
    np.save(reference / "inputs.npy", frames)
    np.save(reference / "outputs.npy", compute(frames))


def run(workspace: Workspace, folder: Path, target: str, *steps: str) -> BuildResult:
    return build_text(workspace, folder, f'[build]\nmodel = "number.txt"\n[target]\n{target}\n' + "".join(steps))


def artifact(result: BuildResult, name: str) -> Path:
    return Path(result.directory) / "artifacts" / name


def read(result: BuildResult, *names: str) -> list[Any]:
    return [json.loads(artifact(result, f"{name}.json").read_text()) for name in names]


def test_a_small_design_becomes_a_bitstream_and_its_netlists_are_the_rtl(
    workspace: Workspace, tmp_path: Path
) -> None:
    write_inputs(tmp_path)
    target = 'part = "ice40up5k-sg48i"\nclock_ns = 100.0'
    result = run(workspace, tmp_path, target, SYNTHESIS, CHECK, ROUTE, CHECK_ROUTED, PACK)
    assert result.status == "ok", result.failure
    check, routed_check, routed = read(result, "netlist_check", "routed_check", "implementation")
    assert (check["frames"], check["mismatches"]) == (FRAMES, 0)
    assert routed_check == check
    assert (routed["part"], routed["met"], list(routed["clocks"])) == ("iCE40UP5K-SG48I", True, ["ap_clk"])
    assert routed["available"] == {"LUT": 5_280, "FF": 5_280, "DSP": 8, "BRAM_4K": 30}
    assert 0 < routed["design"]["LUT"] < 500
    assert "FF" not in routed["design"]
    assert routed["critical_path"]["layers"] == ["sums"]
    assert artifact(result, "bitstream.bit").read_bytes()[:4] == b"\xff\x00\x00\xff"
    text = describe_result(result)
    assert f"equals the RTL in {FRAMES} of {FRAMES} frames" in text
    assert "for iCE40UP5K-SG48I  [the same when repacked]" in text

    # In a package with fewer pins it does not fit, and says so before anything is placed.
    small = run(workspace, tmp_path, target.replace("sg48i", "uwg30itr"), SYNTHESIS, ROUTE)
    assert small.failure is not None
    assert (small.failure.category, small.failure.message) == (
        "resource", "the design does not fit iCE40UP5K: it needs 30 pins of 21"
    )  # fmt: skip
    # nextpnr-ice40 knows no design without pins.
    route = ROUTE + 'parameters = { pins = "out-of-context" }\n'
    without = run(workspace, tmp_path, target, SYNTHESIS, route)
    assert without.failure is not None
    assert without.failure.category == "config"
    assert "cannot be routed out of context" in without.failure.message


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("multipliers", ["lut", "dsp"])
def test_digits_become_a_bitstream_and_their_netlists_are_the_rtl(
    workspace: Workspace, tmp_path: Path, multipliers: str
) -> None:
    example = ROOT / "examples" / "digits" / "ice40.toml"
    settings = (
        "build.flow=ice40-checked",
        f"parameters.yosys-synth.multipliers={multipliers}",
        "target.clock_ns=27",
        "target.target_fps=30_000",
    )
    result = build(workspace, example, tmp_path / "out", *settings)
    assert result.status == "ok", result.failure
    check, routed_check = read(result, "netlist_check", "routed_check")
    routed, simulated, metrics = read(result, "implementation", "simulation", "metrics")
    assert (check["frames"], check["mismatches"], check["total_cycles"]) == (450, 0, simulated["total_cycles"])
    assert routed_check == check
    assert routed["met"]
    assert routed["design"]["DSP"] == (4 if multipliers == "dsp" else 0)
    assert metrics["device"]["BRAM_4K"] == 30
    assert artifact(result, "bitstream.bit").stat().st_size > 100_000
