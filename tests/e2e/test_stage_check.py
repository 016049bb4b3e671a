"""Models of the digits example at each stage: what the check says of them, and builds that begin in the middle."""

import json
import subprocess
from pathlib import Path

import pytest
from bskernel.flow.selection import RangeRequest
from bskernel.images import ensure_environment
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import ROOT

DIGITS = ROOT / "examples" / "digits"
pytestmark = pytest.mark.env
SETTINGS = """
[target]
part = "xczu7ev-ffvc1156-2-e"
target_fps = 100_000
[parameters.finn-step]
standalone_thresholds = true
"""


@pytest.fixture(scope="module")
def codegen(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    result = build(workspace, DIGITS / "build.toml", tmp_path_factory.mktemp("codegen"), "build.flow=codegen")
    assert result.status == "ok", result.failure
    return result


def model_of(workspace: Workspace, result: BuildResult, step: str, target: Path) -> Path:
    """The model that a step of a build left, as a file."""
    report = next(report for report in result.steps if report.name == step)
    artifact = next(artifact for artifact in report.outputs if artifact.name == "model")
    assert workspace.store.materialise(artifact, target)
    return target


def check(workspace: Workspace, folder: Path, stages: list[str], *, state: Path | None = None) -> BuildResult:
    given = f'inputs = {{ state = "{state}" }}\n' if state else ""
    (folder / "check.toml").write_text(
        'build.model = "net.onnx"\n[[step]]\nentry = "qonnx-transform:check_stage"\n'
        f"parameters = {{ stages = {json.dumps(stages)} }}\n{given}"
    )
    return build(workspace, folder / "check.toml", folder / "checked")


@pytest.mark.parametrize(
    ("step", "stages", "evidence"),
    [
        ("cleanup", ["qonnx"], ["5 Quant nodes of qonnx.custom_op.general"]),
        ("step_qonnx_to_finn", ["finn"], ["2 MultiThreshold nodes of qonnx.custom_op.general", "no quantizer"]),
        ("step_streamline", ["finn"], ["annotated with an integer data type", "no hardware layer"]),
        ("step_convert_to_hw", ["hwgraph"], ["3 MVAU nodes of finn.custom_op.fpgadataflow", "5 not specialised"]),
        (
            "step_specialize_layers",
            ["hwgraph"],
            ["3 MVAU_rtl nodes of finn.custom_op.fpgadataflow.rtl", "not folded"],
        ),
        (
            "step_generate_estimate_reports",
            ["hwgraph", "estimates"],
            ["1 with PE or SIMD above 1", "5 with an estimate"],
        ),
    ],
)
def test_the_stage_of_a_step_s_model_is_told_from_what_is_in_it(
    workspace: Workspace, codegen: BuildResult, tmp_path: Path, step: str, stages: list[str], evidence: list[str]
) -> None:
    model_of(workspace, codegen, step, tmp_path / "net.onnx")
    result = check(workspace, tmp_path, stages[-1:])
    assert result.status == "ok", result.failure
    record = result.steps[0].record
    assert record["stages"] == stages
    for words in evidence:
        assert words in record["summary"][0]["note"]
    others = [stage for stage in ("onnx", "qonnx", "finn", "hwgraph", "estimates", "rtl") if stage not in stages]
    refused = check(workspace, tmp_path, others)
    assert refused.failure is not None
    assert refused.failure.category == "model_load"
    assert refused.failure.message.startswith(f"the model is at stage {' or '.join(stages)}, not at ")
    assert evidence[0] in refused.failure.message


MAKE = """
import sys
from onnx import TensorProto, helper
kind, domain, target = sys.argv[1:]
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"], domain=domain)], "one", ends[:1], ends[1:])
opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid(domain, 1)] if domain else [])
open(target, "wb").write(helper.make_model(graph, opset_imports=opsets).SerializeToString())
"""


@pytest.mark.parametrize(
    ("kind", "domain", "text"),
    [
        ("Relu", "", "onnx"),
        ("BipolarQuant", "onnx.brevitas", "qonnx"),
        ("BipolarQuant", "finn.custom_op.general", "qonnx"),
        ("MultiThreshold", "finn.custom_op.general", "finn"),
        ("Thresholding_hls", "finn.custom_op.fpgadataflow.hls", "hwgraph"),
        ("StreamingDataflowPartition", "finn.custom_op.fpgadataflow", "the layers are in another model"),
        ("Attention", "com.microsoft", "no stage that a step takes, not at onnx: 1 Attention node of com.microsoft"),
    ],
)
def test_the_stage_of_a_node_is_that_of_its_domain(
    workspace: Workspace, environments: Path, tmp_path: Path, kind: str, domain: str, text: str
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.ref.name == "qonnx-transform")
    python = ensure_environment(recipe, environments, print).python
    subprocess.run([str(python), "-c", MAKE, kind, domain, str(tmp_path / "net.onnx")], check=True)
    result = check(workspace, tmp_path, ["onnx"])
    if text == "onnx":
        assert result.steps[0].record["stages"] == ["onnx"]
    else:
        assert result.failure is not None
        assert text in result.failure.message


def test_generated_code_counts_only_with_its_tree(workspace: Workspace, codegen: BuildResult, tmp_path: Path) -> None:
    model_of(workspace, codegen, "step_hw_codegen", tmp_path / "net.onnx")
    state = codegen.directory / "artifacts" / "state"
    result = check(workspace, tmp_path, ["rtl"], state=state)
    assert result.status == "ok", result.failure
    assert "code_gen_dir_ipgen set on all 5" in result.steps[0].record["summary"][0]["note"]
    without = check(workspace, tmp_path, ["rtl", "estimates"])
    assert without.failure is not None
    assert "no state tree with their code is given" in without.failure.message
    (tmp_path / "empty").mkdir()
    missing = check(workspace, tmp_path, ["rtl"], state=tmp_path / "empty")
    assert missing.failure is not None
    assert "not in the state tree: code_gen_ipgen_MVAU_rtl_0" in missing.failure.message


def test_a_build_from_a_streamlined_model_gives_what_the_whole_build_gives(
    workspace: Workspace, tmp_path: Path
) -> None:
    whole = build(workspace, DIGITS / "build.toml", tmp_path / "whole")
    part = build(
        workspace,
        DIGITS / "build.toml",
        tmp_path / "part",
        range_request=RangeRequest(last="finn-step:step_streamline"),
    )
    assert [step.name for step in part.steps][-1] == "step_streamline"
    (tmp_path / "build.toml").write_text(
        f'build.model = "part/artifacts/model.onnx"\nflow.input_type = "finn"\n{SETTINGS}'
    )
    rest = build(workspace, tmp_path / "build.toml", tmp_path / "rest")
    assert rest.status == "ok", rest.failure
    assert [step.name for step in rest.steps][:3] == ["check_stage", "samples", "step_tidy_up"]
    expected = {step.name: step.outputs for step in whole.steps if step.name != "step_tidy_up"}
    found = {step.name: step.outputs for step in rest.steps}
    # An evaluation tells of the stages before it, and here there are fewer.
    for name in [name for name in list(found)[3:] if not name.startswith("evaluate")]:
        assert found[name] == expected[name], name
    assert rest.metrics == whole.metrics
    refused = build(
        workspace, tmp_path / "build.toml", tmp_path / "refused", range_request=RangeRequest(input_type="hwgraph")
    )
    assert [step.status for step in refused.steps][:2] == ["failed", "skipped"]
    assert refused.failure is not None
    assert refused.failure.category == "model_load"
    assert "at stage finn, not at hwgraph: 2 MultiThreshold nodes" in refused.failure.message
    assert refused.failure.hint == "begin with --from step_tidy_up (takes finn)"


def test_whole_builds_have_no_check(workspace: Workspace, tmp_path: Path) -> None:
    for config in ("build.toml", "rtl.toml", "open.toml", "two-finns.toml"):
        plan = workspace.prepare(DIGITS / config, output=tmp_path).plan
        assert plan.steps[0].name == "adapt"
        assert "check_stage" not in {step.entry for step in plan.steps}


def test_the_rtl_flow_begins_at_its_second_insertion_of_streams_with_the_estimated_model(
    workspace: Workspace, codegen: BuildResult, tmp_path: Path
) -> None:
    model_of(workspace, codegen, "step_generate_estimate_reports", tmp_path / "net.onnx")
    (tmp_path / "build.toml").write_text(f'build = {{ model = "net.onnx", flow = "rtl" }}\n{SETTINGS}')
    range_request = RangeRequest(first="insert_streams", last="stitch")
    result = build(workspace, tmp_path / "build.toml", tmp_path / "out", range_request=range_request)
    assert result.status == "ok", result.failure
    assert [step.name for step in result.steps] == ["check_stage", "insert_streams", "step_hw_codegen", "stitch"]
