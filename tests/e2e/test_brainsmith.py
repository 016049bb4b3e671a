"""The digits example by Brainsmith, where its recipe brainsmith/0.1.0 is given.

BSKERNEL_RECIPES names the folder that has it, BSKERNEL_CACHE a cache in which its environment is made.
"""

import json
from pathlib import Path

import pytest
from bskernel.images import locate_root, named_folders, search_recipes
from bskernel.images.description import describe
from bskernel.images.environment import cache_folder
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import ROOT

DIGITS = ROOT / "examples" / "digits" / "build.toml"
RECIPES = [recipe for recipe in search_recipes(locate_root(), named_folders()) if recipe.name == "brainsmith@0.1.0"]
SETTINGS = (
    "build.backend=brainsmith",
    'target={ board = "ZCU104", target_fps = 100_000 }',
    'parameters={ brainsmith = { kernels = ["finn:MVAU", "finn:Thresholding"], standalone_thresholds = true } }',
)
pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(not RECIPES, reason="no recipe brainsmith/0.1.0 (docs/backends.md)"),
]


def build_digits(output: Path, *more: str) -> BuildResult:
    return build(Workspace.here(), DIGITS, output, *SETTINGS, *more, fresh=True)


def test_the_catalogue_says_what_the_executor_says() -> None:
    (recipe,) = RECIPES
    assert (recipe.folder / "catalogue.json").read_text() == describe(recipe, cache_folder(), print)


def test_brainsmith_estimates_digits_and_twice_alike(tmp_path: Path) -> None:
    first, second = build_digits(tmp_path / "first"), build_digits(tmp_path / "second")
    assert first.status == "ok", first.failure
    assert [step.outputs for step in first.steps] == [step.outputs for step in second.steps]
    report = tmp_path / "first" / "artifacts" / "output" / "report" / "estimate_network_performance.json"
    assert first.metrics is not None
    assert first.metrics["throughput"][0]["value"] == json.loads(report.read_text())["estimated_throughput_fps"]


def test_a_kernel_that_brainsmith_does_not_have_is_refused_in_its_words(tmp_path: Path) -> None:
    kernels = '["finn:MVAU", { "finn:Thresholding" = ["Thresholding_none"] }]'
    result = build_digits(tmp_path / "out", f"parameters.brainsmith.kernels={kernels}")
    assert result.failure is not None
    assert result.failure.category == "config"
    assert "Backend 'Thresholding_none' not found for kernel 'finn:Thresholding'" in result.failure.message
