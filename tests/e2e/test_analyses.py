"""Analyses as steps of real builds, their numbers against ones worked out otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import ROOT

EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.env
# Of 64-32-32-10, fully connected, in and out of each layer.
DIGITS = {"MatMul_0": 64 * 32, "MatMul_1": 32 * 32, "MatMul_2": 32 * 10}


@pytest.fixture(scope="module")
def analysed(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    result = build(workspace, EXAMPLES / "digits" / "analysed.toml", tmp_path_factory.mktemp("analysed"))
    assert result.status == "ok", result.failure
    return result


def found(result: BuildResult, step: str, name: str) -> Any:
    return json.loads((result.directory / "artifacts" / "by-step" / step / f"{name}.json").read_text())


def test_the_inference_cost_is_that_of_the_network_s_sizes(analysed: BuildResult) -> None:
    cost = found(analysed, "cost", "inference_cost")
    macs = sum(DIGITS.values())
    assert macs == 3392
    assert cost["total"]["macs"] == {"UINT4 x INT4": macs}
    assert cost["total"]["bit_operations"] == macs * 4 * 4
    assert cost["total"]["weight_bits"] == macs * 4
    assert {name: layer["total_macs"] for name, layer in cost["layers"].items()} == DIGITS


def test_bit_widths_before_and_after_the_backend_are_both_kept(analysed: BuildResult) -> None:
    before, after = found(analysed, "widths_before", "bit_widths"), found(analysed, "widths", "bit_widths")
    for widths in (before, after):
        assert (widths["weights"], widths["weight_bits"], widths["macs"]) == (3392, 13568, 3392)
    assert [layer["input"]["datatype"] for layer in before["layers"]] == ["UINT4"] * 3
    assert [layer["weights"]["datatype"] for layer in before["layers"]] == ["INT4"] * 3
    multiplying = [layer for layer in after["layers"] if "macs" in layer]
    # At least a product of 4 bits and 4; the largest sum of 64 products, 64 x 15 x 7, has 14 bits with its sign.
    assert all(8 <= layer["accumulator"]["bits"] <= 16 for layer in multiplying)
    assert [layer["macs"] for layer in multiplying] == list(DIGITS.values())
    assert [layer["thresholds"]["count"] for layer in after["layers"] if "thresholds" in layer] == [32 * 15] * 2
    listed = analysed.by_step
    assert listed["widths_before"]["bit_widths"] != listed["widths"]["bit_widths"]
    assert analysed.artifacts["bit_widths"] == listed["widths"]["bit_widths"]


def test_breakdown_bound_and_headroom_agree_with_finn_s_estimates(analysed: BuildResult) -> None:
    assert analysed.metrics is not None
    reports = analysed.metrics["raw"]
    performance = reports["estimate_network_performance.json"]
    breakdown, bound = found(analysed, "breakdown", "breakdown"), found(analysed, "bound", "bound")
    assert breakdown["interval_cycles"] == performance["max_cycles"]
    assert breakdown["total_cycles"] == performance["critical_path_cycles"]
    assert sum(layer["share"] for layer in breakdown["layers"]) == pytest.approx(1)
    assert breakdown["throughput_fps"] == pytest.approx(performance["estimated_throughput_fps"])
    # The bound comes from sizes and folding alone.
    assert bound["attainable_fps"] == pytest.approx(performance["estimated_throughput_fps"])
    assert bound["operations"] == 2 * 3392
    assert bound["external_bytes"] == 64 * 4 / 8 + 10 * 16 / 8
    assert not [text for text in bound.get("warnings", ()) if "FINN estimates" in text]
    used = found(analysed, "headroom", "headroom")
    total = reports["estimate_layer_resources.json"]["total"]
    lut = next(use for use in used["resources"] if use["resource"] == "LUT")
    assert (lut["used"], lut["left"]) == (total["LUT"], 230_400 - total["LUT"])


def test_the_proposed_folding_gives_what_was_promised(
    workspace: Workspace, analysed: BuildResult, tmp_path: Path
) -> None:
    breakdown = found(analysed, "breakdown", "breakdown")
    assert analysed.metrics is not None
    folding = dict(analysed.metrics["raw"]["auto_folding_config.json"])
    for step in breakdown["proposal"]:
        folding[step["layer"]] = {**folding[step["layer"]], step["parameter"]: step["next_value"]}
    (tmp_path / "folding.json").write_text(json.dumps(folding))
    model = EXAMPLES / "digits" / "digits_w4a4.onnx"
    (tmp_path / "build.toml").write_text(
        f'build.model = "{model}"\ntarget.part = "xczu7ev-ffvc1156-2-e"\n'
        "parameters.finn-step.standalone_thresholds = true\n"
        'step.step_apply_folding_config.inputs.folding_config = "folding.json"\n'
    )
    refolded = build(workspace, tmp_path / "build.toml", tmp_path / "out")
    assert refolded.metrics is not None, refolded.failure
    assert refolded.metrics["throughput"][0]["value"] == pytest.approx(breakdown["proposed_throughput_fps"])


def test_several_analyses_of_the_user_are_all_there(analysed: BuildResult) -> None:
    zeros, value = found(analysed, "zeros", "analysis"), found(analysed, "memory_value", "analysis")
    fractions = zeros["result"]["zeros"]
    assert zeros["result"]["before_the_backend"] is True
    # QONNX leaves out as many MACs as weights are zero: these are all that it counts.
    assert sum((1 - fractions[name]) * count for name, count in DIGITS.items()) == pytest.approx(3014)
    assert analysed.metrics is not None
    fps = analysed.metrics["throughput"][0]["value"]
    assert value["result"] == {"weight_bits": 13568, "fps": pytest.approx(fps * 1000 / 13568)}
    text = describe_result(analysed)
    assert "memory_value: own:frames_per_memory" in text
    assert "cycles per frame" in text


CONV = """
[build]
model = "{model}"
[target]
part = "xczu7ev-ffvc1156-2-e"
clock_ns = 5.0
target_fps = 100_000
[parameters.finn-step]
standalone_thresholds = true
"""


def test_of_a_convolutional_network_macs_weights_and_cycles_are_those_that_finn_counts(
    workspace: Workspace, tmp_path: Path
) -> None:
    estimate = (ROOT / "kernel" / "bskernel" / "flow" / "definitions" / "estimate.toml").read_text()
    steps = "".join(
        f'[[step]]\nentry = "{entry}"\n'
        for entry in ("qonnx-transform:bit_widths", "metrics:breakdown", "metrics:bound", "metrics:headroom")
    )
    model = EXAMPLES / "digits-conv" / "digits_conv_w4a4.onnx"
    streamline = 'entry = "finn-step:streamline"\n'
    flow = estimate.partition("\n")[2].replace(streamline, f'{streamline}[[step]]\nentry = "finn-step:split_host"\n')
    streams = '[[step]]\nentry = "finn-step:insert_streams"\n'
    again = '[[step]]\nname = "with_fifos"\nentry = "qonnx-transform:bit_widths"\n'
    (tmp_path / "build.toml").write_text(CONV.format(model=model) + flow + steps + streams + again)
    result = build(workspace, tmp_path / "build.toml", tmp_path / "out")
    assert result.status == "ok", result.failure
    assert result.metrics is not None
    raw = result.metrics["raw"]
    widths = {layer["name"]: layer for layer in found(result, "bit_widths", "bit_widths")["layers"]}
    multiplying = {name: layer for name, layer in widths.items() if "macs" in layer}
    for name, layer in multiplying.items():
        assert raw["op_and_param_counts.json"][name] == {
            "op_mac_4bx4b": layer["macs"],
            "param_weight_4b": layer["weights"]["count"],
        }
        assert layer["macs"] / layer["macs_per_cycle"] == raw["estimate_layer_cycles.json"][name]
    # 3 x 3 kernels: 6 x 6 x 8 x 1, 3 x 3 x 16 x 8, 1 x 1 x 10 x 16.
    assert [layer["macs"] for layer in multiplying.values()] == [2592, 10368, 1440]
    bound = found(result, "bound", "bound")
    assert bound["attainable_fps"] == pytest.approx(result.metrics["throughput"][0]["value"])
    streamed = found(result, "with_fifos", "bit_widths")["layers"]
    assert any(layer["operator"].startswith("StreamingDataWidthConverter") for layer in streamed)
    assert {layer[side]["datatype"] for layer in streamed for side in ("input", "output")} <= {
        *("UINT4", "INT10", "INT12", "INT14", "INT16")
    }


def steps_of(workspace: Workspace, tmp_path: Path, steps: str) -> BuildResult:
    model = EXAMPLES / "digits" / "digits_w4a4.onnx"
    (tmp_path / "build.toml").write_text(f'[build]\nmodel = "{model}"\n{steps}')
    return build(workspace, tmp_path / "build.toml", tmp_path / "out")


@pytest.mark.provokes("postprocessing")
def test_a_user_s_error_is_told_by_file_and_line(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "checks.py").write_text(
        "def share(model, metrics, params):\n"
        "    counted = [node for node in model.graph.node if node.op_type == params['kind']]\n"
        "    return {'share': len(model.graph.node) / len(counted)}\n"
    )
    result = steps_of(
        workspace,
        tmp_path,
        '[[step]]\nentry = "qonnx-transform:analysis"\ninputs = { source = "mine" }\n'
        'parameters = { function = "checks:share", params = { kind = "Conv" } }\n',
    )
    failure = result.failure
    assert failure is not None
    assert (failure.category, failure.message) == (
        "postprocessing",
        "checks.py:3: ZeroDivisionError: division by zero",
    )
    assert failure.cause[-1] == "ZeroDivisionError: division by zero"
    assert any(line.startswith("checks.py:3 in share") for line in failure.cause)
    assert failure.facts["exception"] == "ZeroDivisionError"


@pytest.fixture(scope="module")
def metrics_file(analysed: BuildResult) -> Path:
    return analysed.directory / "metrics.json"


def test_a_design_above_the_limit_ends_the_build_only_when_asked_to(
    workspace: Workspace, tmp_path: Path, metrics_file: Path
) -> None:
    def limited(how: str) -> BuildResult:
        return steps_of(
            workspace,
            tmp_path,
            f'[[step]]\nentry = "metrics:headroom"\ninputs = {{ metrics = "{metrics_file}" }}\n'
            f'parameters = {{ limit = 0.001, on_excess = "{how}" }}\n',
        )

    failed = limited("fail").failure
    assert failed is not None
    assert failed.category == "resource"
    assert failed.message.startswith("the design uses more than 0.1% of the device: ")
    assert "DSP 4 of 1,728 (0.2%)" in failed.message
    assert "DSP: MVAU_rtl_0 uses 2 (estimate)" in failed.cause
    warned = limited("warn")
    assert warned.status == "ok"
    assert any("DSP 4 of 1,728" in row["value"] for row in warned.steps[0].record["summary"])


def test_a_build_beside_another(workspace: Workspace, tmp_path: Path, metrics_file: Path) -> None:
    theirs = json.loads(metrics_file.read_text())
    theirs["throughput"][0]["value"] *= 2
    del theirs["latency"]
    (tmp_path / "baseline.json").write_text(json.dumps(theirs))
    inputs = f'{{ metrics = "{metrics_file}", baseline = "baseline.json" }}'
    step = f'[[step]]\nentry = "metrics:compare"\ninputs = {inputs}\n'
    compared = found(steps_of(workspace, tmp_path, step), "compare", "comparison")
    ratios = {value["quantity"]: value.get("ratio") for value in compared["values"]}
    assert (ratios["throughput"], ratios["clock"], ratios["latency"]) == (0.5, 1, None)
    assert compared["only_ours"] == ["latency at estimate"]
    (tmp_path / "baseline.json").write_text('{"throughput": 3}')
    damaged = steps_of(workspace, tmp_path, step).failure
    assert damaged is not None
    assert damaged.category == "metrics"
    assert damaged.message == "inputs.baseline: throughput: expected `array`, got `int`"


def test_a_hardware_graph_has_no_inference_cost_and_that_is_said(
    workspace: Workspace, analysed: BuildResult, tmp_path: Path
) -> None:
    model = analysed.directory / "artifacts" / "model.onnx"
    step = f'[[step]]\nentry = "qonnx-transform:inference_cost"\ninputs = {{ model = "{model}" }}\n'
    failure = steps_of(workspace, tmp_path, step).failure
    assert failure is not None
    assert failure.category == "model_load"
    assert "but no hardware layers: MVAU_rtl, Thresholding_rtl" in failure.message
