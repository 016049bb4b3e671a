"""target.objective: the best folding within a budget is found, built, and explained."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bskernel.commands.report import read_record
from bskernel.core.errors import ConfigError
from bskernel.images import ensure_environment
from bskernel.report.page.facts import make_page
from bskernel.report.page_renderer import render_page
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build, build_text
from support.html_document import document
from support.paths import DIGITS, EXAMPLES, ROOT, SUPPORT

pytestmark = pytest.mark.env
RTL = DIGITS / "rtl.toml"
SETTINGS = ("target.target_fps=1", "quality.verify=off", "target.budget.LUT=0.01", "target.budget.DSP=40")
LAST = "step_generate_estimate_reports"


def optimise(workspace: Workspace, out: Path, objective: str, *settings: str, last: str | None = LAST) -> BuildResult:
    return build(workspace, RTL, out, f"target.objective={objective}", *SETTINGS, *settings, last=last)


def report(result: BuildResult) -> dict[str, Any]:
    assert result.status == "ok", result.failure
    found: dict[str, Any] = json.loads((Path(result.directory) / "artifacts" / "folding_report.json").read_text())
    return found


@pytest.fixture(scope="module")
def fastest(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return optimise(workspace, tmp_path_factory.mktemp("fastest"), "fastest")


def test_finn_s_own_estimates_of_the_folded_network_are_those_that_were_optimised(fastest: BuildResult) -> None:
    found = report(fastest)
    folder = Path(fastest.directory) / "artifacts" / "output" / "report"
    cycles = json.loads((folder / "estimate_layer_cycles.json").read_text())
    assert max(cycles.values()) == found["cycles"]
    assert {layer["name"]: layer["cycles"] for layer in found["layers"]} == cycles
    resources = json.loads((folder / "estimate_layer_resources.json").read_text())["total"]
    assert resources["DSP"] == found["budgets"]["DSP"]["used"] <= 40
    assert found["budgets"]["LUT"]["used"] <= found["budgets"]["LUT"]["budget"] == pytest.approx(2304)


def test_the_reports_hold_the_folding_that_was_applied_and_the_metrics_take_it(fastest: BuildResult) -> None:
    folder = Path(fastest.directory) / "artifacts" / "output" / "report"
    applied = json.loads((folder / "applied_folding_config.json").read_text())
    chosen = {name: settings for layer in report(fastest)["layers"] for name, settings in layer["folding"].items()}
    assert chosen
    for name, settings in chosen.items():
        assert {key: applied[name].get(key) for key in settings} == settings


def test_the_page_shows_the_folding_its_proof_and_what_else_is_possible(fastest: BuildResult) -> None:
    page = make_page(read_record(fastest.directory))
    found = report(fastest)
    assert page.folding is not None
    assert page.folding.cycles == found["cycles"]
    chosen = {name: settings for layer in found["layers"] for name, settings in layer["folding"].items()}
    shown = {layer.name: layer.folding for layer in page.layers}
    for name, settings in chosen.items():
        assert shown[name] == {key: settings[key] for key in ("PE", "SIMD") if key in settings}
    text = document(render_page(page)).text
    for fact in (
        f"fastest: {found['inferences_per_s']:,.0f} inferences/s, {found['cycles']} cycles per frame",
        f"The next faster folding, of {found['certificate']['next_faster_cycles']} cycles",
        f"bound by {' or '.join(found['certificate']['binding'])}",
    ):
        assert fact in text, fact


def test_what_bounds_the_pace_is_named_with_what_more_of_it_gives(fastest: BuildResult) -> None:
    certificate = report(fastest)["certificate"]
    assert certificate["next_faster_cycles"] < report(fastest)["cycles"]
    assert certificate["binding"] == ["LUT"]
    text = describe_result(fastest)
    assert "folding            fastest: " in text
    assert "pace bound by      LUT" in text


def test_the_smallest_folding_at_a_pace_keeps_it_and_takes_less(
    workspace: Workspace, tmp_path: Path, fastest: BuildResult
) -> None:
    found = report(optimise(workspace, tmp_path, "smallest", "target.target_fps=100_000"))
    assert found["cycles"] <= 2000
    assert found["budgets"]["LUT"]["used"] < report(fastest)["budgets"]["LUT"]["used"]


def test_a_budget_that_nothing_fits_ends_the_build_and_names_what_is_short(
    workspace: Workspace, tmp_path: Path
) -> None:
    result = optimise(workspace, tmp_path, "fastest", "target.budget.LUT=100")
    assert result.failure is not None
    assert result.failure.category == "config"
    assert "no folding fits the budget: MVAU_rtl_" in result.failure.message
    assert "LUT, and the budget is 100" in result.failure.message


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (("target.objective=quickest",), "must be one of"),
        (("target.budget.LUT=0.5",), "budget needs an objective"),
    ],
)
def test_an_objective_that_cannot_be_had_is_refused_by_the_plan(
    workspace: Workspace, tmp_path: Path, settings: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        workspace.prepare(RTL, settings=list(settings), output=tmp_path)


def test_three_lines_with_a_board_of_an_ecp5_are_a_folding_within_its_device(
    workspace: Workspace, tmp_path: Path
) -> None:
    text = f"""
build = {{ model = "{DIGITS / "digits_w4a4.onnx"}", flow = "ecp5" }}
target = {{ board = "ULX3S-85F", clock_ns = 10.0, objective = "fastest" }}
quality = {{ verify = "off" }}
"""
    result = build_text(workspace, tmp_path, text, last="optimize_folding")
    budgets = report(result)["budgets"]
    assert set(budgets) == {"LUT", "DSP", "BRAM_18K", "pins"}
    assert budgets["LUT"]["device"] == 83_640
    assert all(one["used"] <= one["budget"] for one in budgets.values())
    assert report(result)["cycles"] <= 16
    # Weights are where Yosys puts them, so no layer chooses.
    chosen = [settings for layer in report(result)["layers"] for settings in layer["folding"].values()]
    assert chosen
    assert all("ram_style" not in settings for settings in chosen)


def test_pins_of_a_small_device_bound_a_folding(workspace: Workspace, tmp_path: Path) -> None:
    part = ("target.part=iCE40UP5K-SG48I", "target.budget.LUT=1.0")
    settings = ("build.flow=ice40", "target.objective=fastest", "quality.verify=off", *part)
    few = build(
        workspace, RTL, tmp_path, "target.target_fps=1", *settings, "target.budget.pins=30", last="optimize_folding"
    )
    assert report(few)["budgets"]["pins"]["used"] <= 30
    none = build(
        workspace, RTL, tmp_path, "target.target_fps=1", *settings, "target.budget.pins=20", last="optimize_folding"
    )
    assert none.failure is not None
    assert "no folding fits the budget: " in none.failure.message
    assert "pins" in none.failure.message


def test_a_budget_of_what_a_part_does_not_have_is_refused_with_what_it_has(
    workspace: Workspace, tmp_path: Path
) -> None:
    text = f"""
build = {{ model = "{DIGITS / "digits_w4a4.onnx"}", flow = "ice40" }}
target = {{ part = "iCE40UP5K-SG48I", objective = "fastest", budget = {{ BRAM_18K = 3 }} }}
quality = {{ verify = "off" }}
"""
    failure = build_text(workspace, tmp_path, text, last="optimize_folding").failure
    assert failure is not None
    assert failure.category == "config"
    assert "target.budget: iCE40UP5K-SG48I has no BRAM_18K; it has LUT, DSP, BRAM_4K, pins" in failure.message


@pytest.mark.proof
def test_the_fastest_folding_is_exact_at_its_pace(workspace: Workspace, tmp_path: Path) -> None:
    result = optimise(workspace, tmp_path, "fastest", "quality.verify=on", last=None)
    simulated = json.loads((Path(result.directory) / "artifacts" / "simulation.json").read_text())
    assert simulated["frames"] == 450
    assert simulated["cycles_per_frame"] == report(result)["cycles"]


@pytest.mark.proof
@pytest.mark.parametrize(("network", "faster"), [("cnv/cnv_2w2a", 1.2), ("resnet-small/resnet_small_w4a4", 1.5)])
def test_a_network_is_faster_than_with_finn_s_folding_in_the_same_budget(
    workspace: Workspace, environments: Path, tmp_path: Path, network: str, faster: float
) -> None:
    model = EXAMPLES / f"{network}.onnx"
    settings = (f"build.model={model}", "quality.verify=off")
    result = build(workspace, RTL, tmp_path, *settings, last="step_specialize_layers")
    assert result.status == "ok", result.failure
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "finn-step@finn-plus-1.6.1")
    python = ensure_environment(recipe, environments, print).python
    command = [str(python), str(SUPPORT / "folding_worker.py"), str(tmp_path / "artifacts" / "model.onnx")]
    paths = os.pathsep.join(str(ROOT / name) for name in ("executors", "protocol"))
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, check=True, capture_output=True, text=True)
    cycles = json.loads(done.stdout.splitlines()[-1])
    assert cycles["finn"] >= faster * cycles["optimised"]
