"""What users meet in the shipped executors: small real models and files, each wrong in one way, and what is said."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.images import ensure_environment
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import Failure
from support.builds import build_text
from support.onnx_bytes import model
from support.paths import ROOT, SUPPORT

REPORTS = ROOT / "tests" / "executors" / "reports"
FINN = "finn-step@finn-plus-1.6.1"
PART = 'part = "xczu7ev-ffvc1156-2-e"'
pytestmark = pytest.mark.env


@pytest.fixture(scope="module")
def models(workspace: Workspace, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == FINN)
    python = ensure_environment(recipe, environments, print).python
    subprocess.run([str(python), str(SUPPORT / "small_models.py"), str(folder)], check=True)
    (folder / "damaged.onnx").write_bytes(model(b"\xff" * 40))  # a whole message with a graph that is none
    return folder


def failed(result: BuildResult) -> Failure:
    assert result.failure is not None, result.steps
    assert result.failure.message in describe_result(result)
    return result.failure


FLOW = """
[build]
model = "{model}"
flow = "{flow}"
[target]
{target}
[quality]
verify = "off"
[parameters.finn-step]
standalone_thresholds = true
"""


@pytest.mark.parametrize(
    ("model", "step", "category", "rule", "needles"),
    [
        pytest.param(
            "damaged", "adapt", "model_load", None, ["not an ONNX file, or is damaged", "export_qonnx"],
            marks=pytest.mark.provokes("model_load"),
        ),
        pytest.param(
            "unfoldable", "cleanup", "preprocessing", None, ["Reshape_0", "cannot be reshaped"],
            marks=pytest.mark.provokes("preprocessing"),
        ),
        ("unknown-operator", "adapt", "model_load", None, ["NoSuchOp", "qonnx knows no such operator"]),
        ("hardware", "adapt", "model_load", None, ["this is a hardware graph", "--input-type hwgraph"]),
        ("no-attribute", "step_tidy_up", "transform", "required-attribute", ["MultiThreshold_0", "out_dtype"]),
        ("shared-weights", "step_qonnx_to_finn", "transform", "shared-weights", ["Quant Quant_1", "its own"]),
        ("scale-of-two-axes", "step_qonnx_to_finn", "transform", "quant-scale-axes", ["Quant_0", "(1, 2, 8, 1)"]),
        ("scale-along-rows", "step_qonnx_to_finn", "transform", "channel-axis", ["Quant Quant_0", "axis 2"]),
        ("five-dimensions", "step_qonnx_to_finn", "transform", "rank", ["reshape it on the host"]),
        pytest.param(
            "padded-bipolar", "step_convert_to_hw", "transform", "threshold-scale",
            ["MultiThreshold_0: its output still has a scale", "split_host"],
            marks=pytest.mark.provokes("transform"),
        ),
        (
            "unmapped", "step_create_dataflow_partition", "transform", "unmapped",
            ["interrupts it: Elu_0 (between hardware layers)", "FINN has no hardware layer for Elu"],
        ),
        ("float-shapes", "adapt", "model_load", None, ["no layer can be hardware: MatMul 'MatMul_0'"]),
    ],
)  # fmt: skip
def test_a_network_that_cannot_become_hardware_is_told_by_layer_with_what_to_change(
    workspace: Workspace,
    models: Path,
    tmp_path: Path,
    model: str,
    step: str,
    category: str,
    rule: str | None,
    needles: list[str],
) -> None:
    text = FLOW.format(model=models / f"{model}.onnx", flow="estimate", target=PART)
    result = build_text(workspace, tmp_path, text, step)
    failure = failed(result)
    assert (result.failed_step, failure.category, failure.facts.get("rule")) == (step, category, rule)
    for needle in needles:
        assert needle in f"{failure.message} {failure.hint}"
    assert str(tmp_path) not in " ".join(failure.cause)


@pytest.mark.parametrize("model", ["zero-point", "signed-relu", "coded"])
def test_a_network_that_finn_alone_refuses_is_mended_and_becomes_hardware(
    workspace: Workspace, models: Path, tmp_path: Path, model: str
) -> None:
    text = FLOW.format(model=models / f"{model}.onnx", flow="estimate", target=PART)
    result = build_text(workspace, tmp_path, text)
    assert result.status == "ok", result.failure
    assert result.metrics is not None
    assert result.metrics["hardware_share"] == 1.0


def test_what_adapt_would_mend_is_told_by_layer_when_that_mend_is_left_out(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    text = FLOW.format(model=models / "no-defaults.onnx", flow="estimate", target=PART)
    text += '[step.adapt.parameters]\nskip = ["attributes"]\n'
    result = build_text(workspace, tmp_path, text, "step_streamline")
    failure = failed(result)
    assert (result.failed_step, failure.facts.get("rule")) == ("step_streamline", "conv-without-defaults")
    assert "Conv Conv_0 lacks group and dilations" in str(failure.hint)


@pytest.mark.provokes("config")
def test_a_custom_step_that_finds_no_target_is_told_with_the_boards(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    text = FLOW.format(model=models / "sound.onnx", flow="estimate", target="")
    text += '[flow.edit.replace.step_specialize_layers]\nentry = "finn-step:custom"\n'
    text += 'parameters.function = "finn.builder.build_dataflow_steps:step_specialize_layers"\n'
    failure = failed(build_text(workspace, tmp_path, text, "step_specialize_layers"))
    assert failure.category == "config"
    assert failure.facts["exception"] == "finn.util.exception.FINNConfigurationError"
    assert "set target.part" in str(failure.hint)
    assert "ZCU104" in str(failure.hint)


@pytest.mark.parametrize(
    ("step", "key", "entry", "message"),
    [
        ("step_apply_folding_config", "folding_config", '"MVAU_hls_0": {"PE": "2"}', "PE must be a whole number"),
        ("step_apply_folding_config", "folding_config", '"MVAU_9": {"PE": 2}', "the design has no layer 'MVAU_9'"),
        ("step_specialize_layers", "specialize_layers_config", '"MVAU_0": {"style": "rtl"}', "no attribute 'style'"),
    ],
)
def test_a_file_of_layers_that_does_not_fit_is_told_by_key_and_layer(
    workspace: Workspace, models: Path, tmp_path: Path, step: str, key: str, entry: str, message: str
) -> None:
    (tmp_path / "layers.json").write_text(f'{{"Defaults": {{}}, {entry}}}')
    text = FLOW.format(model=models / "sound.onnx", flow="estimate", target=PART)
    text += f'[step.{step}.inputs]\n{key} = "layers.json"\n'
    failure = failed(build_text(workspace, tmp_path, text, step))
    assert failure.category == "config"
    assert failure.message.startswith(f"{key}: ")
    assert message in failure.message


def test_a_depth_of_a_fifo_that_the_design_does_not_have_is_told_with_the_fifos_that_it_has(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    style = '{"StreamingFIFO_rtl_9": "rtl"}'
    (tmp_path / "fifos.json").write_text(
        f'{{"fifo_depths": {{"StreamingFIFO_rtl_9": 4}}, "impl_style": {style}, "ram_style": {style}}}'
    )
    text = FLOW.format(model=models / "sound.onnx", flow="estimate", target=PART)
    for before, entry in (
        ("step_convert_to_hw", "split_host"), ("step_specialize_layers", "prefer"), ("metrics", "insert_streams"),
    ):  # fmt: skip
        text += f'[[flow.edit.insert]]\nbefore = "{before}"\nentry = "finn-step:{entry}"\n'
    text += '[flow.edit.insert.inputs]\nfifo_config = "fifos.json"\n'
    failure = failed(build_text(workspace, tmp_path, text, "insert_streams"))
    assert failure.category == "config"
    assert failure.message == "fifo_config: the design has no FIFO 'StreamingFIFO_rtl_9'"
    assert "FIFOs of the design: StreamingFIFO_rtl_0" in str(failure.hint)


def test_a_layer_that_is_left_on_the_host_is_told_with_its_share_and_so_is_what_the_numbers_are_of(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    target = PART + "\ntarget_fps = 900_000_000"
    text = FLOW.format(model=models / "float-first.onnx", flow="estimate", target=target)
    result = build_text(workspace, tmp_path, text)
    assert result.status == "ok", result.failure
    told = describe_result(result)
    # 12 of 8 * 4 + 4 * 3 multiplications
    assert "27% of the network's MACs; on the host: MatMul_0" in told
    assert "MatMul_0 (on the host, before the accelerator; 73% of the MACs): its input comes as FLOAT32" in told
    assert "[estimate, of 27% of the network's MACs]" in told
    assert "target_fps is missed: wanted 900,000,000 inferences/s" in told
    assert "PE = SIMD = 1" not in told
    assert result.metrics is not None
    assert result.metrics["hardware_share"] == 12 / 44


def test_the_coverage_counts_what_the_host_split_has_cut_off(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    text = FLOW.format(model=models / "float-first.onnx", flow="rtl", target=PART)
    result = build_text(workspace, tmp_path, text, "coverage")
    assert result.status == "ok", result.failure
    artifacts = result.directory / "artifacts"
    host = json.loads((artifacts / "host" / "host.json").read_text())
    found = json.loads((artifacts / "coverage.json").read_text())
    for part in ("head", "tail"):
        names = [node["name"] for node in found["nodes"] if node["part"] == part]
        assert names == [node["name"] for node in host[part]]
    assert [found["parts"][part]["macs"] for part in ("head", "hardware")] == [32, 12]


def test_names_that_one_step_draws_do_not_collide_with_those_of_another(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    text = FLOW.format(model=models / "sound.onnx", flow="estimate", target=PART).replace("off", "stages")
    text += (
        '[[flow.edit.insert]]\nafter = "step_qonnx_to_finn"\nname = "names"\nentry = "qonnx-transform:transform"\n'
        'parameters = { transforms = ["GiveRandomTensorNames"] }\n'
    )
    result = build_text(workspace, tmp_path, text)
    assert result.status == "ok", result.failure


@pytest.mark.provokes("kernel")
def test_a_layer_that_exists_in_hls_alone_is_refused_by_name_in_the_flow_without_hls(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    text = FLOW.format(model=models / "sound.onnx", flow="rtl", target=PART)
    text += '[step.prefer.parameters]\nlayers = { MVAU_0 = "hls" }\n'
    failure = failed(build_text(workspace, tmp_path, text, "prefer"))
    assert failure.category == "kernel"
    assert "MVAU_0 (MVAU): step prefer asks for hls" in failure.message


def one_step(entry: str, more: str) -> str:
    return f'[build]\nmodel = "model.onnx"\n[target]\n{PART}\n[[step]]\nname = "only"\nentry = "{entry}"\n{more}\n'


def test_a_step_that_needs_vivado_says_so_before_it_begins(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    shutil.copy(models / "sound.onnx", tmp_path / "model.onnx")
    with pytest.raises(EnvironmentLacking, match=r"step only needs vitis_hls.*tools\.vitis_hls\.path") as caught:
        build_text(workspace, tmp_path, one_step("finn-step:step_set_fifo_depths", ""))
    assert caught.value.exit_code == 4


def finn_output(tmp_path: Path, **reports: str) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "output" / "report").mkdir(parents=True)
    for name, text in reports.items():
        (tmp_path / "output" / "report" / name.replace("__", ".")).write_text(text)


@pytest.mark.provokes("metrics")
def test_a_damaged_report_is_named(workspace: Workspace, tmp_path: Path) -> None:
    finn_output(tmp_path, estimate_layer_cycles__json='{"MVAU_rtl_0": 10')
    failure = failed(build_text(workspace, tmp_path, one_step("metrics:collect", 'inputs = { output = "output" }')))
    assert failure.category == "metrics"
    assert "report/estimate_layer_cycles.json is not readable JSON" in failure.message


def test_numbers_of_a_design_without_any_product_of_the_network_are_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    finn_output(tmp_path, estimate_network_performance__json='{"estimated_throughput_fps": 12500000.0}')
    product = {"name": "MatMul_0", "kind": "MatMul", "part": "head", "multiplies": True, "macs": 32}
    nodes = [product, {"name": "Thresholding_0", "kind": "Thresholding", "part": "hardware"}]
    sizes = {"head": {"nodes": 1, "macs": 32, "weights": 0}, "hardware": {"nodes": 1, "macs": 0, "weights": 0}}
    (tmp_path / "coverage.json").write_text(json.dumps({"frames": 1, "nodes": nodes, "parts": sizes}))
    given = 'inputs = { output = "output", coverage = "coverage.json" }'
    failure = failed(build_text(workspace, tmp_path, one_step("metrics:collect", given)))
    assert failure.category == "transform"
    assert "not in hardware: MatMul_0" in failure.message


@pytest.mark.provokes("timing")
def test_a_clock_that_must_be_met_and_is_not_says_which_would_be(workspace: Workspace, tmp_path: Path) -> None:
    finn_output(tmp_path, post_route_timing__rpt=(REPORTS / "artix7_timing_summary.rpt").read_text())
    wanted = 'inputs = { output = "output" }\nparameters = { require_timing = true }'
    failure = failed(build_text(workspace, tmp_path, one_step("metrics:collect", wanted)))
    assert failure.category == "timing"
    assert "the worst slack is -3.463 ns (report/post_route_timing.rpt) at a clock period of 5 ns" in failure.message
    assert "would meet 8.463 ns" in str(failure.hint)
    assert build_text(workspace, tmp_path, one_step("metrics:collect", wanted.splitlines()[0])).status == "ok"


def test_a_clock_that_must_be_met_and_was_never_looked_at_is_no_success(workspace: Workspace, tmp_path: Path) -> None:
    finn_output(tmp_path)
    wanted = 'inputs = { output = "output" }\nparameters = { require_timing = true }'
    failure = failed(build_text(workspace, tmp_path, one_step("metrics:collect", wanted)))
    assert failure.category == "metrics"
    assert "no report says whether the clock is met" in failure.message


@pytest.mark.provokes("synthesis")
def test_a_design_that_is_broken_is_told_by_the_synthesiser_s_first_error(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "layer").mkdir()
    text = "module bskernel_layer(input logic clk); nowhere u(.clk(clk)); endmodule\n"
    (tmp_path / "layer" / "bskernel_layer.sv").write_text(text)
    (tmp_path / "layer" / "sources.json").write_text('["bskernel_layer.sv"]')
    wanted = one_step("yosys-synth:synthesize_layer", 'inputs = { layer = "layer" }')
    failure = failed(build_text(workspace, tmp_path, wanted))
    assert failure.category == "synthesis"
    assert "unknown module 'nowhere'" in failure.message
    assert "bskernel_layer.sv:1" in failure.cause[0]
