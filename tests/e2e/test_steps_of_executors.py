"""Single steps of the shipped executors, as a build.toml asks for them."""

from pathlib import Path
from typing import Any

import pytest
from bskernel.core.errors import ConfigError
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build_text
from support.paths import ROOT

MODEL = ROOT / "examples" / "digits" / "digits_w4a4.onnx"
OF_DIGITS = f'build.model = "{MODEL}"\n'
pytestmark = pytest.mark.env


def transform(parameters: str) -> str:
    return f'[[step]]\nentry = "qonnx-transform:transform"\n[step.parameters]\n{parameters}\n'


def failed(result: BuildResult) -> str:
    assert result.failure is not None
    return f"{result.failure.category}: {result.failure.message} -> {result.failure.hint}"


def test_transformations_are_applied_by_short_and_dotted_name_with_arguments(
    workspace: Workspace, tmp_path: Path
) -> None:
    names = (
        '["InferShapes", { name = "qonnx.transformation.general.GiveUniqueNodeNames", args = { prefix = "net_" } }]'
    )
    result = build_text(workspace, tmp_path, OF_DIGITS + transform(f"transforms = {names}"))
    assert result.status == "ok", result.failure
    first, second = result.steps[0].record["transforms"]
    assert first["name"] == "InferShapes"
    assert first["before"] == second["after"] != {}
    assert b"net_MatMul_0" in (tmp_path / "out" / "artifacts" / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("parameters", "needles"),
    [
        ('transforms = ["InferShape"]', ["config", "no transformation 'InferShape'", "InferShapes"]),
        ('transforms = ["nosuch.module.Thing"]', ["config", "'nosuch.module.Thing'"]),
        ('transforms = [{ name = "InferShapes", args = { depth = 3 } }]', ["config", "InferShapes", "depth"]),
        ('transforms = ["InferShapes"]\ninput_shape = [1, 63]', ["model_load", "[1, 64], not [1, 63]"]),
        ('transforms = ["InferShapes"]\ninput_datatype = "INT7"', ["model_load", "not INT7"]),
    ],
)
def test_what_a_transform_cannot_do_is_said_with_the_choices(
    workspace: Workspace, tmp_path: Path, parameters: str, needles: list[str]
) -> None:
    text = failed(build_text(workspace, tmp_path, OF_DIGITS + transform(parameters)))
    for needle in needles:
        assert needle in text


ESTIMATE = "[target]\nclock_ns = 5.0\n"


def test_a_folding_that_no_hardware_can_have_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "folding.json").write_text('{"Defaults": {}, "MVAU_rtl_0": {"PE": 7, "SIMD": 1}}')
    inputs = '[step.step_apply_folding_config.inputs]\nfolding_config = "folding.json"\n'
    text = failed(build_text(workspace, tmp_path, OF_DIGITS + f'{ESTIMATE}board = "ZCU104"\n{inputs}'))
    assert text.startswith("config: step_apply_folding_config: MVAU_rtl_0: PE = 7 does not divide MH = ")


@pytest.mark.parametrize(
    ("target", "needles"),
    [
        ('part = "xczu7ev"', ["target.part = 'xczu7ev' is no part of AMD's or of Lattice's ECP5", "xc7z020clg400-1"]),
        ('part = "spartan"', ["target.part = 'spartan'"]),
        ('board = "ZCU14"', ["target.board: unknown board 'ZCU14'", "ZCU104"]),
    ],
)
def test_a_target_that_does_not_exist_is_refused(
    workspace: Workspace, tmp_path: Path, target: str, needles: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        build_text(workspace, tmp_path, OF_DIGITS + f"{ESTIMATE}{target}\n")
    for needle in needles:
        assert needle in f"{caught.value} {caught.value.hint}"


def test_a_network_that_nobody_folded_is_built_with_a_warning(workspace: Workspace, tmp_path: Path) -> None:
    result = build_text(workspace, tmp_path, OF_DIGITS + f'{ESTIMATE}board = "ZCU104"\n')
    assert result.status == "ok", result.failure
    rows: list[dict[str, Any]] = [row for step in result.steps for row in step.record.get("summary", ())]
    assert any("PE = SIMD = 1" in row["value"] for row in rows)


CUSTOM = """
[[step]]
entry = "qonnx-transform:cleanup"
[[step]]
entry = "finn-step:step_qonnx_to_finn"
[[step]]
name = "mine"
entry = "finn-step:custom"
parameters = {{ function = "{function}" }}
inputs = {{ source = "steps" }}
"""


def test_a_step_of_the_user_s_own_is_run_from_a_folder(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "own.py").write_text(
        "def mark(model, cfg):\n"
        "    model.set_metadata_prop('clock', str(cfg.synth_clk_period_ns))\n"
        "    return model\n"
    )
    text = f"{ESTIMATE}{CUSTOM.format(function='own:mark')}"
    result = build_text(workspace, tmp_path, OF_DIGITS + text)
    assert result.status == "ok", result.failure
    first = result.artifacts["model"]
    (tmp_path / "steps" / "own.py").write_text("def mark(model, cfg):\n    return model\n")
    again = build_text(workspace, tmp_path, OF_DIGITS + text)
    assert [step.status for step in again.steps] == ["recalled", "recalled", "ran"]
    assert again.artifacts["model"] != first


def test_a_step_that_is_not_in_the_folder_is_named(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "own.py").write_text("")
    text = failed(build_text(workspace, tmp_path, OF_DIGITS + f"{ESTIMATE}{CUSTOM.format(function='own:mark')}"))
    assert text.startswith("config: unknown function 'own:mark'")
