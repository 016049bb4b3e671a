"""What was trained is what is built: exact rounding in real builds, and what verification says where it is not."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bskernel.images import ensure_environment
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import SUPPORT

pytestmark = pytest.mark.env
CONFIG = """
build.model = "{model}"
target.board = "ZCU104"
target.target_fps = 10_000
"""
FRAMES = "step.samples.parameters.drawn_frames=1000"
FINNS = 'step.exact_rounding.parameters.thresholds="finn"'
LAST = "evaluate_hwgraph"


@pytest.fixture(scope="module")
def models(workspace: Workspace, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "qonnx-transform@1.0.0")
    python = ensure_environment(recipe, environments, print).python
    subprocess.run([str(python), str(SUPPORT / "quantized_networks.py"), str(folder)], check=True)
    return folder


def run(
    workspace: Workspace, models: Path, out: Path, name: str, *settings: str, last: str | None = LAST
) -> BuildResult:
    config = models / f"{name}.toml"
    config.write_text(CONFIG.format(model=models / f"{name}.onnx"))
    return build(workspace, config, out, *settings, last=last)


def comparisons(out: Path) -> list[dict[str, Any]]:
    file = out / "artifacts" / "evaluation" / "evaluation.json"
    return [stage["comparison"] for stage in json.loads(file.read_text())["stages"][1:]]


def warnings(result: BuildResult) -> list[str]:
    rows = [row for step in result.steps for row in step.record.get("summary", ())]
    return [row["value"] for row in rows if row["label"] == "warning"]


@pytest.mark.parametrize("name", ["powers", "floor", "quantized-output"])
def test_no_frame_of_1000_differs_with_exact_rounding_and_many_do_without(
    workspace: Workspace, models: Path, tmp_path: Path, name: str
) -> None:
    exact = run(workspace, models, tmp_path / "exact", name, FRAMES)
    assert exact.status == "ok", exact.failure
    assert [found["mismatches"] for found in comparisons(tmp_path / "exact")] == [0, 0]
    # Scales are powers of two, so every sum is exact, and there is nothing to warn of.
    assert warnings(exact) == []
    finn = run(workspace, models, tmp_path / "finn", name, FRAMES, FINNS, "quality.on_mismatch=warn")
    assert finn.status == "ok", finn.failure
    assert comparisons(tmp_path / "finn")[0]["mismatches"] > 100


def test_thresholds_are_exact_though_a_step_renames_every_tensor(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    step = 'after="step_qonnx_to_finn", name="names", entry="qonnx-transform:transform"'
    names = f'flow.edit.insert=[{{{step}, parameters={{transforms=["GiveRandomTensorNames"]}}}}]'
    result = run(workspace, models, tmp_path, "powers", FRAMES, names)
    assert result.status == "ok", result.failure
    assert [found["mismatches"] for found in comparisons(tmp_path)] == [0, 0]
    assert warnings(result) == []


def test_exact_halves_are_blamed_for_frames_that_agree_once_halves_are_rounded_up(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    result = run(workspace, models, tmp_path, "powers", FRAMES, FINNS, "quality.on_mismatch=warn")
    (found, _) = comparisons(tmp_path)
    ((cause, frames),) = found["causes"].items()
    assert cause.startswith("exact halves")
    assert frames == found["mismatches"]
    assert any(cause in text for text in warnings(result))


def test_halves_are_not_blamed_for_another_rounding_mode(workspace: Workspace, models: Path, tmp_path: Path) -> None:
    result = run(workspace, models, tmp_path, "floor", FRAMES, FINNS)
    assert result.failure is not None
    assert result.failure.category == "verification"
    text = "\n".join(result.failure.cause)
    assert "the cause is unknown" in text
    assert "halves" not in text


def test_a_difference_of_one_output_step_with_a_proven_cause_only_warns(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    result = run(workspace, models, tmp_path / "one", "quantized-output", FINNS, "quality.frames=3", FRAMES)
    (found, *_) = comparisons(tmp_path / "one") if result.status == "ok" else [{}]
    assert result.status == "ok", result.failure
    assert 0 < found["mismatches"] <= 3
    assert found["largest_in_steps"] == pytest.approx(1)
    assert any("1 steps of the output's quantizer" in text for text in warnings(result))
    strict = run(
        workspace, models, tmp_path / "strict", "quantized-output", FINNS, FRAMES, "quality.on_mismatch=fail"
    )
    assert strict.failure is not None
    assert strict.failure.category == "verification"


def test_polynomials_of_the_hardware_are_named_as_the_cause(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    result = run(
        workspace,
        models,
        tmp_path,
        "sigmoid",
        "quality.rtol=1e-9",
        "quality.atol=1e-7",
        'flow.edit.replace.step_convert_to_hw.entry="finn-step:step_convert_to_hw"',
        "target.board=VCK190",
    )
    assert result.status == "ok", result.failure
    found = comparisons(tmp_path)[1]
    assert found["mismatches"] > 0
    ((cause, frames),) = found["causes"].items()
    assert "sigmoid in PWPolyF_0" in cause
    assert frames == found["mismatches"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("two-inputs", "has 2 inputs"),
        ("unknown-mode", "cannot be executed: ValueError: Could not resolve rounding mode"),
    ],
)
def test_what_cannot_be_executed_is_loudly_not_verified_and_the_build_completes(
    workspace: Workspace, models: Path, tmp_path: Path, name: str, reason: str
) -> None:
    result = run(workspace, models, tmp_path, name, last=None)
    assert result.status == "ok", result.failure
    assert result.metrics is not None
    assert any("stage qonnx (cleanup) is NOT VERIFIED" in text and reason in text for text in warnings(result))
    file = tmp_path / "artifacts" / "evaluation" / "evaluation.json"
    (first, *_) = json.loads(file.read_text())["stages"]
    assert reason in first["not_verified"]
    assert first["frames"] == 0
    rows = [row for step in result.steps for row in step.record.get("summary", ())]
    assert any(row["label"] == "not verified" for row in rows)
