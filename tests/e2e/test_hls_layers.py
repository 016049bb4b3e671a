"""Flow bitstream with the stand-in for Vitis HLS: which layers it is called for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from bskernel.commands.build import run_build
from bskernel.core.observers import SilentObserver
from bskernel.result.build_result import BuildResult
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.workspace import Workspace
from support.hls_networks import make_twin_layers
from vivado_stand_in.install import make_dependencies, make_hls_install, make_install

CONFIG = """
[build]
name = "b"
model = "net.onnx"
flow = "bitstream"
salt = "{salt}"
[flow]
output_type = "ip"
[target]
part = "xc7z020clg400-1"
clock_ns = 10.0
[step.step_apply_folding_config]
inputs = {{ folding_config = "folding.json" }}
[step.step_hw_ipgen]
inputs = {{ deps = "deps" }}
[step.step_set_fifo_depths]
inputs = {{ deps = "deps" }}
"""
# The same steps for a version of FINN+ that does not offer the flow.
CODEGEN = """
[build]
name = "b"
model = "net.onnx"
flow = "codegen"
[target]
part = "xc7z020clg400-1"
clock_ns = 10.0
[step.step_apply_folding_config]
inputs = {{ folding_config = "folding.json" }}
[step.step_hw_ipgen]
inputs = {{ deps = "deps" }}
[[flow.edit.insert]]
before = "metrics"
entry = "finn-step:split_hls_layers"
[[flow.edit.insert]]
before = "metrics"
name = "step_hw_ipgen"
entry = "finn-step:synthesize_hls_layer"
each = "layer"
inputs = {{ layer = "split_hls_layers.hls_layers" }}
[[flow.edit.insert]]
before = "metrics"
entry = "finn-step:join_hls_layers"
"""
MUL, FIRST, TWIN, OTHER_TWIN = "ElementwiseMul_hls_0", "MVAU_hls_0", "MVAU_hls_1", "MVAU_hls_2"
Folding = dict[str, dict[str, int]]
Build = Callable[..., BuildResult]


@pytest.fixture
def build(own_workspace: Workspace, tmp_path: Path, runtime: str) -> Build:
    """Build a network with this folding. Only builds with the same salt recall one another's results."""
    vivado, hls = make_install(tmp_path / "Xilinx"), make_hls_install(tmp_path / "Xilinx")
    make_dependencies(tmp_path / "deps")

    def run(
        salt: str, folding: Folding, *settings: str, model: Any = None, config: str = CONFIG, hls: Path = hls
    ) -> BuildResult:
        onnx.save(model or make_twin_layers(), str(tmp_path / "net.onnx"))
        (tmp_path / "folding.json").write_text(json.dumps({"Defaults": {}, **folding}))
        (tmp_path / "build.toml").write_text(config.format(salt=salt))
        tools = [f"tools.vivado.path={vivado}", f"tools.vitis_hls.path={hls}"]
        prepared = own_workspace.prepare(
            tmp_path / "build.toml", settings=[*tools, *settings], output=tmp_path / "out"
        )
        return run_build(own_workspace, prepared, SilentObserver(), options=BuildOptions(runtime=runtime))

    return run


def layers(result: BuildResult) -> dict[str, str]:
    """What became of each different HLS layer."""
    step = next(step for step in result.steps if step.name == "step_hw_ipgen")
    return {item.name.removeprefix("step_hw_ipgen."): item.status for item in step.items}


def calls(folder: Path, result: BuildResult) -> int:
    """How often Vitis HLS was called by the items that ran."""
    ran = [name for name, status in layers(result).items() if status == "ran"]
    logs = [log.read_text() for name in ran for log in (folder / "out" / "steps").glob(f"*.{name}/log.jsonl")]
    return sum(text.count("Command: csynth_design") for text in logs)


@pytest.mark.in_both
def test_equal_layers_are_synthesised_once_and_are_the_same_ip_in_the_design(build: Build, tmp_path: Path) -> None:
    result = build("twins", {})
    assert result.status == "ok", result.failure
    assert layers(result) == {MUL: "ran", FIRST: "ran", TWIN: "ran"}
    assert calls(tmp_path, result) == 3
    step = next(step for step in result.steps if step.name == "step_hw_ipgen")
    assert [item.equal_items for item in step.items] == [(), (), (OTHER_TWIN,)]
    output = tmp_path / "out" / "artifacts" / "output"
    project = (output / "stitched_ip" / "make_project.tcl").read_text()
    made = [line.split()[-2:] for line in project.splitlines() if "-type ip -vlnv xilinx.com:hls:" in line]
    cells = {cell: vlnv for vlnv, cell in made}
    assert sorted(name.rpartition("/")[2] for name in cells) == [MUL, FIRST, TWIN, OTHER_TWIN]
    assert cells[f"/{TWIN}/{TWIN}"] == cells[f"/{OTHER_TWIN}/{OTHER_TWIN}"]
    assert len(set(cells.values())) == 3
    stitched = next((tmp_path / "out" / "steps").glob("*-step_create_stitched_ip")) / "log.jsonl"
    assert "Duplicate IP" not in stitched.read_text()
    # Each layer has a report of its own, and its own memory of weights.
    report = json.loads((output / "report" / "estimate_layer_resources_hls.json").read_text())
    assert {name: counts["LUT"] for name, counts in report.items()} == {
        MUL: 7, FIRST: 7, TWIN: 7, OTHER_TWIN: 7, "total": 28
    }  # fmt: skip
    makers = json.loads((output / "report" / "made_by.json").read_text())
    assert makers["estimate_layer_resources_hls.json"] == "Vitis HLS STAND-IN 2024.2 build 1000002"
    state = tmp_path / "out" / "artifacts" / "state"
    weights = [next(state.glob(f"code_gen_ipgen_{name}_*")) / "memblock.dat" for name in (TWIN, OTHER_TWIN)]
    assert weights[0].read_text() != weights[1].read_text()
    assert not list(state.rglob(".autopilot"))
    assert not list(state.rglob("*.bc"))


def test_the_design_of_layers_that_share_an_ip_becomes_a_bitstream(build: Build, tmp_path: Path) -> None:
    bitfile = "step_synthesize_bitfile"
    settings = [
        "target.board=Pynq-Z1",
        "flow.output_type=bitstream",
        f"step.{bitfile}.inputs.deps={tmp_path / 'deps'}",
    ]
    result = build("twins", {}, *settings)
    assert result.status == "ok", result.failure
    assert layers(result).keys() == {MUL, FIRST, TWIN}
    assert "STAND-IN" in (tmp_path / "out" / "artifacts" / "bitfile" / "finn-accel.bit").read_text()
    synthesised = next((tmp_path / "out" / "steps").glob(f"*-{bitfile}")) / "log.jsonl"
    assert "Duplicate IP" not in synthesised.read_text()


def test_a_changed_folding_of_one_layer_synthesises_that_layer_alone(build: Build, tmp_path: Path) -> None:
    assert build("changed", {}).status == "ok"
    result = build("changed", {OTHER_TWIN: {"PE": 2}})
    assert result.status == "ok", result.failure
    assert layers(result) == {MUL: "recalled", FIRST: "recalled", TWIN: "recalled", OTHER_TWIN: "ran"}
    assert calls(tmp_path, result) == 1


def test_a_layer_is_recalled_under_another_name_and_from_another_network(build: Build) -> None:
    assert build("recalled", {TWIN: {"PE": 2}, OTHER_TWIN: {"PE": 4}}).status == "ok"
    turned = build("recalled", {TWIN: {"PE": 4}, OTHER_TWIN: {"PE": 2}})
    assert turned.status == "ok", turned.failure
    assert set(layers(turned)) == {MUL, FIRST, TWIN, OTHER_TWIN}
    assert set(layers(turned).values()) == {"recalled"}
    # Here the twins are the first two layers, with the names of others.
    other = build("recalled", {FIRST: {"PE": 4}, TWIN: {"PE": 2}}, model=make_twin_layers(first=False))
    assert other.status == "ok", other.failure
    assert set(layers(other)) == {MUL, FIRST, TWIN}
    assert set(layers(other).values()) == {"recalled"}


def test_a_layer_that_fails_is_named_and_the_others_are_kept(build: Build, tmp_path: Path) -> None:
    refusing = make_hls_install(tmp_path / "refusing", behaviour="refuse #define PE1 8")
    result = build("failed", {OTHER_TWIN: {"PE": 8}}, hls=refusing)
    assert result.failure is not None
    assert result.failure.category == "synthesis"
    first_error = "vitis_hls ended with exit code 1: ERROR: [HLS 200-70] STAND-IN: Failed to synthesise what contains"
    assert result.failure.message.startswith(f"item {OTHER_TWIN}: step_hw_ipgen: {first_error}")
    assert layers(result) == {MUL: "ran", FIRST: "ran", TWIN: "ran", OTHER_TWIN: "failed"}
    mended = build("failed", {OTHER_TWIN: {"PE": 4}}, hls=refusing)
    assert mended.status == "ok", mended.failure
    assert layers(mended) == {MUL: "recalled", FIRST: "recalled", TWIN: "recalled", OTHER_TWIN: "ran"}


def test_finn_plus_1_4_0_has_the_same_entries(build: Build, tmp_path: Path) -> None:
    result = build("", {}, "executors.finn-step=finn-plus-1.4.0", config=CODEGEN)
    assert result.status == "ok", result.failure
    step = next(step for step in result.steps if step.name == "step_hw_ipgen")
    assert [(item.name.partition(".")[2], item.equal_items) for item in step.items] == [
        (FIRST, ()),
        (TWIN, (OTHER_TWIN,)),
    ]
    output = tmp_path / "out" / "artifacts" / "output"
    report = json.loads((output / "report" / "estimate_layer_resources_hls.json").read_text())
    assert report["total"]["LUT"] == 21
