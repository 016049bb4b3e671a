"""Networks of the usual kinds in the open flow: without any setting, every bit is what Python computes."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.brevitas_exports import export_networks
from support.builds import build
from support.seeded_networks import QONNX, Network
from support.small_accelerators import make_separable, make_upscaling

pytestmark = [pytest.mark.env, pytest.mark.timeout(7200)]
ULTRASCALE, SERIES_7 = "xczu7ev-ffvc1156-2-e", "xc7z020clg400-1"
SIX_FRAMES = "step.samples.parameters.drawn_frames=6"


def build_for(
    workspace: Workspace,
    folder: Path,
    part: str,
    *settings: str,
    rate: int = 1_000,
    last: str | None = None,
    runtime: str = "process",
) -> BuildResult:
    """Build FOLDER/net.onnx by flow rtl with nothing but a part and a rate."""
    config = folder / "build.toml"
    config.write_text(
        f'build = {{ model = "net.onnx", flow = "rtl" }}\ntarget = {{ part = "{part}", target_fps = {rate} }}\n'
    )
    return build(workspace, config, folder / "out", *settings, last=last, runtime=runtime)


def check_exact(folder: Path, frames: int) -> None:
    simulation = json.loads((folder / "out" / "artifacts" / "simulation.json").read_text())
    assert (simulation["frames"], simulation["mismatches"]) == (frames, 0)


@pytest.mark.in_both
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_a_separable_network_with_a_pool_is_exact_without_any_setting(
    own_workspace: Workspace, tmp_path: Path, runtime: str
) -> None:
    onnx.save(make_separable(), tmp_path / "net.onnx")
    result = build_for(own_workspace, tmp_path, SERIES_7, SIX_FRAMES, rate=20_000, runtime=runtime)
    assert result.status == "ok", result.failure
    check_exact(tmp_path, 6)


def test_a_layer_without_rtl_is_refused_with_its_reason_before_any_layer_is_folded(
    workspace: Workspace, tmp_path: Path
) -> None:
    onnx.save(make_separable(), tmp_path / "net.onnx")
    result = build_for(
        workspace, tmp_path, ULTRASCALE, "parameters.finn-step.standalone_thresholds=false", last="metrics"
    )
    assert result.failure is not None
    assert result.failed_step == "prefer"
    assert "it contains thresholds" in result.failure.message
    assert "set standalone_thresholds = true" in (result.failure.hint or "")


def test_thresholds_with_an_output_wider_than_they_need_are_refused_with_the_type_to_use(
    workspace: Workspace, tmp_path: Path
) -> None:
    network = Network(3, (1, 6))
    network.quantize()
    network.node("MatMul", network.weights(6, 5))
    steps = network.constant([[level / 8 for level in range(-7, 8)]])
    network.node("MultiThreshold", steps, domain=QONNX, out_dtype="INT8", out_bias=-8.0, out_scale=1.0)
    network.node("MatMul", network.weights(5, 3))
    onnx.save(network.model((1, 3)), tmp_path / "net.onnx")
    result = build_for(workspace, tmp_path, ULTRASCALE, last="metrics")
    assert result.failure is not None
    assert result.failed_step == "prefer"
    assert "its output is INT8, but its thresholds need INT4 for -8 to 7" in result.failure.message


def test_a_memory_that_rtl_does_not_have_is_refused_where_the_folding_asks_for_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    onnx.save(make_separable(), tmp_path / "net.onnx")
    (tmp_path / "folding.json").write_text('{"Defaults": {"mem_mode": ["internal_embedded", ["MVAU_rtl"]]}}')
    setting = 'step.step_apply_folding_config.inputs.folding_config="folding.json"'
    result = build_for(workspace, tmp_path, ULTRASCALE, setting, last="metrics")
    assert result.failure is not None
    assert result.failed_step == "step_apply_folding_config"
    assert "mem_mode is internal_embedded, but the open flow has RTL for mem_mode = internal_decoupled only" in (
        result.failure.message
    )
    assert "MVAU_rtl_" in result.failure.message
    assert "folding_config" in (result.failure.hint or "")


def test_a_transpose_between_layers_is_one_layer_of_the_library(workspace: Workspace, tmp_path: Path) -> None:
    onnx.save(make_upscaling(), tmp_path / "net.onnx")
    result = build_for(workspace, tmp_path, ULTRASCALE, last="insert_deep_fifos")
    assert result.status == "ok", result.failure
    layers = onnx.load(tmp_path / "out" / "artifacts" / "model.onnx").graph.node
    assert [node.op_type for node in layers if "Shuffle" in node.op_type] == ["OuterShuffle_rtl"]


SIZED = """build.model = "net.onnx"
[[step]]
name = "compile"
entry = "rtl-sim:compile"
inputs = {{ rtl = "{name}" }}
parameters = {{ throttle = true }}
[[step]]
entry = "rtl-sim:size_fifos"
inputs = {{ rtl = "{name}", reference = "{reference}" }}
"""


@pytest.mark.proof
def test_sizing_without_products_finds_the_depths_of_the_whole_design(workspace: Workspace, tmp_path: Path) -> None:
    onnx.save(make_separable(), tmp_path / "net.onnx")
    result = build_for(workspace, tmp_path, ULTRASCALE, SIX_FRAMES, rate=20_000)
    assert result.status == "ok", result.failure
    artifacts = tmp_path / "out" / "artifacts"
    for name in ("control", "whole"):
        shutil.copytree(artifacts / "rtl", tmp_path / name)
    unit = tmp_path / "whole" / "lib" / "mvu.sv"
    latency = "3 + $clog2(SIMD) + (SIMD == 1) + 1"
    assert latency in unit.read_text()
    unit.write_text(unit.read_text().replace(latency, f"({latency})"))  # not the unit whose control is known
    found = []
    for name in ("control", "whole"):
        config = tmp_path / f"{name}.toml"
        config.write_text(SIZED.format(name=name, reference=artifacts / "reference"))
        sized = build(workspace, config, tmp_path / f"sized-{name}")
        assert sized.status == "ok", sized.failure
        found.append(json.loads((tmp_path / f"sized-{name}" / "artifacts" / "fifo_config.json").read_text()))
    assert found[0] == found[1]


@pytest.mark.proof
@pytest.mark.parametrize("rate", [1_000, 1_000_000])
def test_a_transposed_convolution_is_exact_at_any_rate(workspace: Workspace, tmp_path: Path, rate: int) -> None:
    onnx.save(make_upscaling(), tmp_path / "net.onnx")
    result = build_for(workspace, tmp_path, ULTRASCALE, SIX_FRAMES, rate=rate)
    assert result.status == "ok", result.failure
    check_exact(tmp_path, 6)


def test_several_inputs_are_refused_before_anything_is_computed_of_them(workspace: Workspace, tmp_path: Path) -> None:
    network = Network(7, (1, 4))
    network.node("Add", "other")
    made = network.model((1, 4))
    made.graph.input.append(onnx.helper.make_tensor_value_info("other", onnx.TensorProto.FLOAT, (1, 4)))
    onnx.save(made, tmp_path / "net.onnx")
    result = build_for(workspace, tmp_path, ULTRASCALE)
    assert result.failure is not None
    assert result.failed_step == "split_host"
    assert "the network has 2 inputs" in result.failure.message


@pytest.mark.proof
@pytest.mark.brevitas
@pytest.mark.parametrize("name", ["cnv_2w2a", "cnv_1w1a", "mobilenet", "keywords"])
def test_an_export_of_brevitas_is_exact(workspace: Workspace, tmp_path: Path, name: str) -> None:
    exports = export_networks(tmp_path, name)
    model = onnx.load(exports / f"{name}.onnx")  # its tensors may lie in a file of their own
    onnx.save(model, tmp_path / "net.onnx")
    result = build_for(workspace, tmp_path, ULTRASCALE, "step.samples.parameters.drawn_frames=20")
    assert result.status == "ok", result.failure
    check_exact(tmp_path, 20)
