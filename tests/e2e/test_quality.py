"""The network judged at every stage, and one stage held to another, in real builds."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bskernel.images import ensure_environment, environment_variables
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import ROOT, SUPPORT

DIGITS = ROOT / "examples" / "digits"
SAMPLES = "quality.samples=heldout.npz"
LABELS = np.load(DIGITS / "heldout.npz")["labels"]
pytestmark = pytest.mark.env


def stages(output: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((output / "artifacts" / "evaluation" / "evaluation.json").read_text())[
        "stages"
    ]
    return found


def table(result: BuildResult) -> dict[str, Any]:
    (found,) = [table for step in result.steps for table in step.record.get("tables", ())]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", ["finn-plus-1.6.1", "finn-plus-1.4.0"])
def test_each_stage_computes_what_qonnx_alone_does_frame_by_frame(
    workspace: Workspace, tmp_path: Path, environments: Path, version: str
) -> None:
    settings = (SAMPLES, "quality.limit=90", f"executors.finn-step={version}")
    result = build(workspace, DIGITS / "build.toml", tmp_path, *settings)
    assert result.status == "ok", result.failure
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == f"finn-step@{version}")
    environment = ensure_environment(recipe, environments, lambda _: None)
    judged = stages(tmp_path)
    assert [stage["stage"] for stage in judged] == ["qonnx", "finn", "hwgraph"]
    for stage, step in zip(judged, ("cleanup", "exact_rounding_streamlined", "step_convert_to_hw"), strict=True):
        model = next(report for report in result.steps if report.name == step).outputs
        (artifact,) = [output for output in model if output.name == "model"]
        assert workspace.store.materialise(artifact, tmp_path / f"{step}.onnx")
        script = SUPPORT / "with_qonnx_alone.py"
        variables = {"PYTHONPATH": str(environment.code), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [
                str(environment.python),
                str(script),
                str(tmp_path / f"{step}.onnx"),
                str(DIGITS / "heldout.npz"),
                "90",
            ],
            env=environment_variables(recipe) | variables | {"FINN_BUILD_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        scores = np.array(json.loads(done.stdout.splitlines()[-1]))
        labels = LABELS[:90]
        right = (scores.argmax(axis=1) == labels).mean()
        assert stage["top_1"] == right
        order = np.argsort(-scores, axis=1, kind="stable")[:, : stage["k"]]
        assert stage["top_k"] == (order == labels[:, None]).any(axis=1).mean()
        confusion = np.array(stage["confusion"])
        assert confusion.sum() == stage["frames"] == 90
        assert confusion[3, 3] == ((labels == 3) & (scores.argmax(axis=1) == 3)).sum()
    assert (np.load(tmp_path / "artifacts" / "evaluation" / "outputs.npy") == scores).all()
    assert [stage["comparison"]["mismatches"] for stage in judged[1:]] == [0, 0]
    assert result.metrics is not None
    assert [(value["stage"], value["value"]) for value in result.metrics["accuracy"]] == [
        (name, right) for name in ("qonnx", "finn", "hwgraph")
    ]
    assert [row[0] for row in table(result)["rows"]] == ["qonnx", "finn", "hwgraph"]


def wrong_flow(tmp_path: Path) -> Path:
    """The estimate flow with a step that spoils thresholds, or weights, between streamlining and hardware."""
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "spoil.py").write_text(
        "def threshold(model, cfg):\n"
        "    node = [node for node in model.graph.node if node.op_type == 'MultiThreshold'][0]\n"
        "    return change(model, node.input[1], 50)\n"
        "def weight(model, cfg):\n"
        "    node = [node for node in model.graph.node if node.op_type == 'MatMul'][-1]\n"
        "    return change(model, node.input[1], 1)\n"
        "def change(model, name, by):\n"
        "    values = model.get_initializer(name).copy()\n"
        "    values[:, -1] += by\n"
        "    model.set_initializer(name, values)\n"
        "    return model\n"
        "def nothing(model, cfg):\n"
        "    return model\n"
    )
    flow = (ROOT / "kernel" / "bskernel" / "flow" / "definitions" / "estimate.toml").read_text()
    anchor = '[[step]]\nname = "step_convert_to_hw"\n'
    assert anchor in flow
    custom = "".join(
        f'[[step]]\nname = "{name}"\nentry = "finn-step:custom"\n'
        f'parameters = {{ function = "spoil:{function}" }}\ninputs = {{ source = "steps" }}\n'
        for name, function in (("harmless", "nothing"), ("spoil", "weight"), ("also_harmless", "nothing"))
    )
    (tmp_path / "flow.toml").write_text(flow.replace(anchor, custom + anchor))
    for name in ("digits_w4a4.onnx", "heldout.npz"):
        shutil.copy(DIGITS / name, tmp_path)
    text = (DIGITS / "build.toml").read_text().replace('flow = "estimate"', 'flow = "flow.toml"')
    (tmp_path / "build.toml").write_text(text)
    return tmp_path / "build.toml"


@pytest.mark.parametrize("function", ["spoil:weight", "spoil:threshold"])
def test_a_transformation_that_changes_the_network_is_caught_with_the_steps_it_may_be(
    workspace: Workspace, tmp_path: Path, function: str
) -> None:
    config = wrong_flow(tmp_path)
    result = build(workspace, config, tmp_path / "out", SAMPLES, f'step.spoil.parameters.function="{function}"')
    assert result.failure is not None
    failure = result.failure
    assert failure.category == "verification"
    assert (
        "hwgraph (step_convert_to_hw) does not compute what stage finn (exact_rounding_streamlined) does"
        in failure.message
    )
    assert "of 450 frames differ, by " in failure.message
    assert failure.cause[0] == "between them: steps harmless, spoil, also_harmless, step_convert_to_hw"
    assert 'quality.verify = "steps"' in str(failure.hint)
    assert [step.name for step in result.steps if step.status == "failed"] == ["evaluate_hwgraph"]


def test_checks_after_every_step_name_the_one_that_is_wrong(workspace: Workspace, tmp_path: Path) -> None:
    result = build(workspace, wrong_flow(tmp_path), tmp_path / "out", SAMPLES, "quality.verify=steps")
    assert result.failure is not None
    (failed,) = [step.name for step in result.steps if step.status == "failed"]
    assert failed == "evaluate-spoil"
    assert "finn (spoil) does not compute what stage finn (harmless) does" in result.failure.message
    assert result.failure.cause[0] == "between them: step spoil"


def test_a_mismatch_that_only_warns_is_shown_and_the_build_goes_on(workspace: Workspace, tmp_path: Path) -> None:
    result = build(workspace, wrong_flow(tmp_path), tmp_path / "out", SAMPLES, "quality.on_mismatch=warn")
    assert result.status == "ok", result.failure
    shown = table(result)
    cells = [row[shown["columns"].index("mismatching frames")] for row in shown["rows"]]
    assert cells[1] == "0 of 450"
    assert cells[2].endswith(" of 450")
    assert cells[2] != "0 of 450"
    warnings = [row["value"] for step in result.steps for row in step.record.get("summary", ())]
    assert any("does not compute what stage finn" in text for text in warnings)


def test_a_mismatch_that_is_allowed_passes(workspace: Workspace, tmp_path: Path) -> None:
    result = build(workspace, wrong_flow(tmp_path), tmp_path / "out", SAMPLES, "quality.allowed_mismatch=1.0")
    assert result.status == "ok", result.failure
    assert stages(tmp_path / "out")[2]["comparison"]["mismatches"] > 0


def test_verification_that_is_off_leaves_its_steps_out_and_what_is_made_is_the_same(
    workspace: Workspace, tmp_path: Path
) -> None:
    off = build(workspace, DIGITS / "build.toml", tmp_path / "off", "quality.verify=off")
    on = build(workspace, DIGITS / "build.toml", tmp_path / "on")
    assert off.status == on.status == "ok"
    assert not [step.name for step in off.steps if "evaluate" in step.name or step.name == "samples"]
    assert {name: off.artifacts[name] for name in ("model", "output")} == {
        name: on.artifacts[name] for name in ("model", "output")
    }
    # Without samples few frames are drawn: stages are compared, and no accuracy is told.
    assert [stage["frames"] for stage in stages(tmp_path / "on")] == [8, 8, 8]
    assert on.metrics is not None
    assert "accuracy" not in on.metrics


def test_the_float_model_is_the_first_stage_and_quantization_is_no_failure(
    workspace: Workspace, tmp_path: Path, environments: Path
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "qonnx-transform@1.0.0")
    environment = ensure_environment(recipe, environments, lambda _: None)
    script = (
        "import sys, onnx\n"
        "model = onnx.load(sys.argv[1])\n"
        "kept = {}\n"
        "for node in list(model.graph.node):\n"
        "    node.input[:] = [kept.get(name, name) for name in node.input]\n"
        "    if node.op_type == 'Quant':\n"
        "        kept[node.output[0]] = node.input[0]\n"
        "        model.graph.node.remove(node)\n"
        "onnx.save(model, sys.argv[2])\n"
    )
    float_model = tmp_path / "float.onnx"
    command = [str(environment.python), "-c", script, str(DIGITS / "digits_w4a4.onnx"), str(float_model)]
    subprocess.run(command, check=True, env={"PATH": os.environ["PATH"]})
    result = build(
        workspace, DIGITS / "build.toml", tmp_path / "out", SAMPLES, f'quality.float_model="{float_model}"'
    )
    assert result.status == "ok", result.failure
    first, second = stages(tmp_path / "out")[:2]
    assert (first["stage"], second["stage"]) == ("float", "qonnx")
    assert first["executed_by"].startswith("onnxruntime ")
    assert 0.9 < first["top_1"] <= 1
    assert second["comparison"]["expected"]
    assert second["comparison"]["mismatches"] > 400
    assert result.metrics is not None
    assert [value["stage"] for value in result.metrics["accuracy"]] == ["float", "qonnx", "finn", "hwgraph"]


def test_a_metric_and_top_k_of_the_build_are_recorded_at_every_stage(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.py").write_text(
        "import numpy as np\n"
        "def worst_class(outputs, labels):\n"
        "    right = outputs.argmax(1) == labels\n"
        "    return min(right[labels == label].mean() for label in np.unique(labels))\n"
    )
    settings = (f'quality.source="{tmp_path / "mine"}"', "quality.metric=own:worst_class", "quality.top_k=99")
    result = build(workspace, DIGITS / "build.toml", tmp_path / "out", SAMPLES, *settings)
    assert result.status == "ok", result.failure
    for stage in stages(tmp_path / "out"):
        confusion = np.array(stage["confusion"])
        assert stage["metric"] == {"worst_class": pytest.approx((confusion.diagonal() / confusion.sum(axis=1)).min())}
        assert (stage["k"], stage["top_k"]) == (10, 1.0)


def test_a_network_that_ends_in_its_top_index_is_compared_by_prediction(workspace: Workspace, tmp_path: Path) -> None:
    config = wrong_flow(tmp_path)
    flow = (tmp_path / "flow.toml").read_text()
    transform = '[[step]]\nname = "top"\nentry = "qonnx-transform:transform"\n[step.parameters]\n'
    transform += 'transforms = [{ name = "InsertTopK", args = { k = 1 } }, "InferShapes"]\n'
    anchor = '[[step]]\nentry = "finn-step:step_qonnx_to_finn"\n'
    assert anchor in flow
    (tmp_path / "flow.toml").write_text(flow.replace(anchor, transform + anchor))
    harmless = 'step.spoil.parameters.function="spoil:nothing"'
    result = build(workspace, config, tmp_path / "out", SAMPLES, harmless)
    assert result.status == "ok", result.failure
    last = stages(tmp_path / "out")[-1]
    assert last["ranks"]
    assert last["comparison"]["mismatches"] == 0
    assert (last["top_1"], last["k"]) == (435 / 450, 1)
    assert stages(tmp_path / "out")[1]["comparison"]["by"] == "predictions"
