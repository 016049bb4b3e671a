"""Synthesised netlists, simulated: they do what Python and the RTL do, and a wrong one is caught."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import ROOT

DIGITS = ROOT / "examples" / "digits"
pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: install g++, as .ci/run does"),
]
STREAM = {"beats": 1, "bits": 16, "datatype": "INT16", "parallel": 1, "shape": [1], "signed": True, "width": 16}
DSP = """
module bskernel_top (
	input wire ap_clk, input wire ap_rst_n,
	input wire [15:0] in0_V_TDATA, input wire in0_V_TVALID, output wire in0_V_TREADY,
	output wire [15:0] out0_V_TDATA, output wire out0_V_TVALID, input wire out0_V_TREADY
);
	// 3 * in - 5, or what the four highest bits of the input ask for as ALUMODE.
	wire [47:0] p;
	DSP48E2 #(
		.ACASCREG(0), .ADREG(0), .ALUMODEREG(0), .AREG(0), .BCASCREG(0), .BREG(0), .CARRYINREG(0), .CARRYINSELREG(0),
		.CREG(0), .DREG(0), .INMODEREG(0), .MREG(0), .OPMODEREG(0), .PREG(0)
	) dsp (
		.CLK(ap_clk), .A(30'd3), .B({{6{in0_V_TDATA[11]}}, in0_V_TDATA[11:0]}), .C(-48'd5), .D(27'd0),
		.ALUMODE(in0_V_TDATA[15:12]), .INMODE(5'd0), .OPMODE(9'b000110101), .CARRYIN(1'b0), .CARRYINSEL(3'd0),
		.ACIN(30'd0), .BCIN(18'd0), .PCIN(48'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
		.CEA1(1'b0), .CEA2(1'b0), .CEAD(1'b0), .CEALUMODE(1'b0), .CEB1(1'b0), .CEB2(1'b0), .CEC(1'b0),
		.CECARRYIN(1'b0), .CECTRL(1'b0), .CED(1'b0), .CEINMODE(1'b0), .CEM(1'b0), .CEP(1'b0),
		.RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0), .RSTD(1'b0),
		.RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0), .P(p)
	);
	assign out0_V_TDATA = p[15:0];
	assign out0_V_TVALID = in0_V_TVALID;
	assign in0_V_TREADY = out0_V_TREADY;
endmodule
"""


@pytest.fixture(scope="module")
def checked(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return build(workspace, DIGITS / "netlist.toml", tmp_path_factory.mktemp("netlist"))


def artifacts(result: BuildResult) -> Path:
    return Path(result.directory) / "artifacts"


def test_a_netlist_gives_python_s_outputs_in_the_rtl_s_cycles(checked: BuildResult) -> None:
    assert checked.status == "ok", checked.failure
    netlist, rtl = (
        json.loads((artifacts(checked) / f"{name}.json").read_text()) for name in ("netlist_check", "simulation")
    )
    assert netlist == {name: rtl[name] for name in netlist if name != "stall_percent"} | {"stall_percent": 0}
    assert (netlist["frames"], netlist["mismatches"]) == (450, 0)
    # What is told of the design is what the RTL's simulation saw, FIFOs and all.
    assert rtl["fifo_depths"]
    text = describe_result(checked)
    assert "450 of 450 frames and all" in text
    assert re.search(r"quantity +unit +estimate +rtlsim +synth +of the device", text)


def test_a_netlist_holds_no_path_and_models_of_its_cells_alone(checked: BuildResult) -> None:
    files = {path.name: path.read_bytes() for path in (artifacts(checked) / "netlist").rglob("*") if path.is_file()}
    assert files.keys() == {
        "DSP48E2.sv", "block_ram.sv", "cells_sim.v", "design.json", "netlist.v", "primitives.sv"
    }  # fmt: skip
    assert not [name for name, data in files.items() if re.search(rb"/(home|root|tmp|work|workspace|state)/", data)]
    models = set(re.findall(r"^module (\w+)", files["cells_sim.v"].decode(), re.MULTILINE))
    used = set(re.findall(r"^  (\w+) (?:#\(|\\|n_)", files["netlist.v"].decode(), re.MULTILINE))
    assert models | {"DSP48E2", "RAMB18E2"} == used - {"wire", "reg", "assign"}


def test_one_wrong_table_in_a_netlist_is_caught(workspace: Workspace, checked: BuildResult, tmp_path: Path) -> None:
    shutil.copytree(artifacts(checked) / "netlist", tmp_path / "netlist")
    path = tmp_path / "netlist" / "netlist.v"
    text = path.read_text()
    found = re.search(r"LUT6 #\(\s*\.INIT\(64'h([0-9a-f]{16})\)", text)
    assert found is not None
    inverted = f"{int(found.group(1), 16) ^ (1 << 64) - 1:016x}"
    path.write_text(text[: found.start(1)] + inverted + text[found.end(1) :])
    (tmp_path / "build.toml").write_text(
        f'[build]\nmodel = "{DIGITS / "digits_w4a4.onnx"}"\n'
        '[[step]]\nentry = "rtl-sim:compile_library"\n'
        '[[step]]\nname = "compile"\nentry = "rtl-sim:compile"\ninputs = { rtl = "netlist" }\n'
        '[[step]]\nentry = "rtl-sim:check_netlist"\n'
        f'inputs = {{ netlist = "netlist", reference = "{artifacts(checked) / "reference"}", '
        f'simulation = "{artifacts(checked) / "simulation.json"}" }}\n'
    )
    result = build(workspace, tmp_path / "build.toml", tmp_path / "out")
    assert result.failure is not None
    assert result.failure.category == "verification"
    assert re.search("frames differ|deadlocked|netlist and RTL differ", result.failure.message)


def dsp(tmp_path: Path, frames: list[int], expected: list[int]) -> Path:
    """A build that simulates one DSP48E2 between two streams."""
    from bskernel_executors.yosys_synth import netlist

    folder = tmp_path / "dsp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    model = Path(netlist.__file__).with_name("models") / "DSP48E2.sv"
    (folder / "DSP48E2.sv").write_bytes(model.read_bytes())
    (folder / "top.sv").write_text(DSP)
    design = {
        "top": "bskernel_top", "sources": ["DSP48E2.sv", "top.sv"], "input": STREAM, "output": STREAM, "layers": [],
        "fifos": [], "streams": [], "estimated_cycles": 1,
    }  # fmt: skip
    (folder / "design.json").write_text(json.dumps(design))
    reference = tmp_path / "reference"
    reference.mkdir(exist_ok=True)
    np.save(reference / "inputs.npy", np.array(frames).reshape(-1, 1))
    np.save(reference / "outputs.npy", np.array(expected).reshape(-1, 1))
    (tmp_path / "build.toml").write_text(
        f'[build]\nmodel = "{DIGITS / "digits_w4a4.onnx"}"\n'
        '[[step]]\nentry = "rtl-sim:compile_library"\n'
        '[[step]]\nname = "compile"\nentry = "rtl-sim:compile"\ninputs = { rtl = "dsp" }\n'
        '[[step]]\nentry = "rtl-sim:simulate"\ninputs = { rtl = "dsp", reference = "reference" }\n'
    )
    return tmp_path / "build.toml"


def test_the_model_of_a_dsp_computes_what_it_covers_and_refuses_the_rest(
    workspace: Workspace, tmp_path: Path
) -> None:
    numbers = [0, 1, 100, 2047]
    subtracting = 0b0011 << 12  # Z - (W + X + Y + CIN)
    frames = [*numbers, *(subtracting | number for number in numbers)]
    expected = [*(3 * number - 5 for number in numbers), *(-5 - 3 * number for number in numbers)]
    result = build(workspace, dsp(tmp_path, frames, expected), tmp_path / "covered")
    assert result.status == "ok", result.failure
    logic = (0b0101 << 12) | 1
    result = build(workspace, dsp(tmp_path, [*numbers, logic], [0] * 5), tmp_path / "refused")
    assert result.failure is not None
    assert "the model of DSP48E2 has no ALUMODE=0101" in result.failure.message
