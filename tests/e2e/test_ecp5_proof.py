"""Networks on an ECP5: the synthesised and the routed netlist are the RTL, frame for frame and cycle for cycle."""

import json
import subprocess
from pathlib import Path

import pytest
from bskernel.images import ensure_environment
from bskernel.workspace.workspace import Workspace
from support.builds import build, build_text
from support.paths import ROOT, SUPPORT

pytestmark = [pytest.mark.env, pytest.mark.proof, pytest.mark.timeout(3600)]
DIGITS, CONV, CNV = (
    ROOT / "examples" / "digits" / "ecp5-checked.toml",
    ROOT / "examples" / "digits-conv" / "rtl.toml",
    ROOT / "examples" / "cnv" / "build.toml",
)
LARGE = "target.part=LFE5U-85F-6BG381C"
CHOICES = "parameters.yosys-synth."


def check(out: Path, frames: int) -> None:
    checks = [json.loads((out / "artifacts" / f"{name}_check.json").read_text()) for name in ("netlist", "routed")]
    assert [(found["frames"], found["mismatches"]) for found in checks] == [(frames, 0)] * 2
    assert json.loads((out / "artifacts" / "implementation.json").read_text())["met"]


@pytest.mark.parametrize(
    ("config", "frames", "settings"),
    [
        (DIGITS, 450, []),
        (DIGITS, 450, [LARGE, "target.clock_ns=9", f"{CHOICES}multipliers=dsp"]),
        (DIGITS, 450, [LARGE, "target.clock_ns=12.5", f"{CHOICES}thresholds=block"]),
        (DIGITS, 450, [LARGE, "target.clock_ns=9", f"{CHOICES}fifos=shift"]),
        (CONV, 450, [LARGE, "target.clock_ns=12"]),
        (CNV, 4, [LARGE, "target.clock_ns=14", "target.target_fps=300", "step.samples.parameters.drawn_frames=4"]),
    ],
    ids=["25F", "multipliers", "thresholds", "fifos", "digits-conv", "cnv"],
)
def test_both_netlists_of_a_network_are_its_rtl(
    workspace: Workspace, tmp_path: Path, config: Path, frames: int, settings: list[str]
) -> None:
    result = build(workspace, config, tmp_path / "out", "build.flow=ecp5-checked", *settings)
    assert result.status == "ok", result.failure
    check(tmp_path / "out", frames)


@pytest.mark.parametrize("multipliers", ["lut", "dsp"])
def test_both_netlists_of_a_network_of_eight_bits_are_its_rtl(
    workspace: Workspace, environments: Path, tmp_path: Path, multipliers: str
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "qonnx-transform@1.0.0")
    python = ensure_environment(recipe, environments, print).python
    subprocess.run([str(python), str(SUPPORT / "quantized_networks.py"), str(tmp_path)], check=True)
    result = build_text(
        workspace,
        tmp_path,
        'build = { model = "eight-bits.onnx", flow = "ecp5-checked" }\n'
        'target = { part = "LFE5U-85F-6BG381C", clock_ns = 12.5, target_fps = 500_000 }\n'
        f'parameters.yosys-synth.multipliers = "{multipliers}"\n',
    )
    assert result.status == "ok", result.failure
    check(tmp_path / "out", 32)
