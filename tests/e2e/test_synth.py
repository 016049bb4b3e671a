"""Flow synth with the stand-in for Vivado: from a network to (recorded) reports, and every way in which it fails."""

import json
from pathlib import Path

import pytest
from bskernel.commands.build import run_build
from bskernel.report.terminal import SilentObserver, describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.workspace import Workspace
from vivado_stand_in.install import make_install
from vivado_stand_in.interrupting import assert_an_interrupt_ends_all

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples" / "digits"
TOP = "module bskernel_top (\n\tinput wire ap_clk\n);\nendmodule\n"
CONFIG = """
[build]
name = "small"
model = "number.txt"
[target]
part = "xczu7ev-ffvc1156-2-e"
[tools.vivado]
path = "{path}"
[[step]]
entry = "vivado-synth:synthesize"
inputs = {{ rtl = "rtl" }}
[[step]]
entry = "vivado-synth:implement"
inputs = {{ rtl = "rtl" }}
parameters = {{ require_timing = {require_timing} }}
"""


def run(workspace: Workspace, config: Path, output: Path, *settings: str, runtime: str = "process") -> BuildResult:
    prepared = workspace.prepare(config, settings=settings, output=output)
    return run_build(workspace, prepared, SilentObserver(), options=BuildOptions(runtime=runtime))


def small(folder: Path, behaviour: str, require_timing: str = "false") -> Path:
    """A design of one empty module, and a build that synthesises it."""
    for name in ("rtl/mem", "rtl/hdl"):
        (folder / name).mkdir(parents=True)
    (folder / "rtl" / "top.sv").write_text(TOP)
    design = {"top": "bskernel_top", "sources": ["top.sv"], "layers": ["MVAU_rtl_0"]}
    (folder / "rtl" / "design.json").write_text(json.dumps(design))
    (folder / "number.txt").write_text("5")
    path = make_install(folder / "Xilinx", behaviour=behaviour)
    (folder / "build.toml").write_text(CONFIG.format(path=path, require_timing=require_timing))
    return folder / "build.toml"


@pytest.mark.in_both
def test_digits_are_synthesised_and_the_stand_in_s_numbers_cannot_pass_for_hardware_s(
    workspace: Workspace, tmp_path: Path, runtime: str
) -> None:
    # Another build of Vivado in each runtime: neither is to recall what the other has made with it.
    path = make_install(tmp_path / "Xilinx", build={"process": "1000001", "docker": "1000003"}[runtime])
    setting = f"tools.vivado.path={path}"
    result = run(workspace, DIGITS / "synth.toml", tmp_path / "out", setting, runtime=runtime)
    assert result.status == "ok", result.failure
    assert result.metrics is not None
    sources = {
        (value["stage"], value["source"])
        for value in result.metrics["resources"]["LUT"]
        if value["stage"] != "estimate"
    }
    assert sources == {("synth", "stand-in (synthesis.json)"), ("routed", "stand-in (implementation.json)")}
    assert [value["value"] for value in result.metrics["resources"]["LUT"][1:]] == [1526, 999]
    assert result.metrics["slack"][1]["value"] == 0.537
    assert "timing_met" not in result.metrics
    assert not any(layer.get("synthesized") for layer in result.metrics["layers"])
    assert result.metrics["power"][0]["source"] == "stand-in (implementation.json)"
    shown = [
        line for line in describe_result(result).splitlines() if line.startswith(("  LUT ", "  power", "  worst"))
    ]
    assert all("stand-in, not hardware" in line or "estimate" in line for line in shown)
    assert any("they are no results" in text for text in result.metrics["warnings"])
    found = json.loads((tmp_path / "out" / "artifacts" / "implementation.json").read_text())
    assert (found["met"], found["stand_in"], found["layers"]["MVAU_rtl_0"]["DSP"]) == (True, True, 2)
    # Nothing of this machine is in what others may take.
    for path in (tmp_path / "out" / "artifacts").rglob("*.*"):
        assert not path.is_file() or str(tmp_path).encode() not in path.read_bytes(), path


@pytest.mark.in_both
@pytest.mark.parametrize(
    ("behaviour", "step", "category", "cause", "hint"),
    [
        ("licence", "synthesize", "licence", "Common 17-345", "XILINXD_LICENSE_FILE"),
        ("syntax", "synthesize", "synthesis", "Synth 8-439", "nothing defines the module mvu_vvu"),
        ("crash", "synthesize", "crash", "unexpected error has occurred (11)", "another version"),
        ("out_of_memory", "synthesize", "out_of_memory", "Killed", "memory_mib"),
        ("disk_full", "synthesize", "environment", "No space left on device", "BSKERNEL_CACHE"),
        ("lost_memory", "synthesize", "synthesis", "could not open $readmem", "without its contents"),
        ("resource", "implement", "resource", "Place 30-640", "larger target.part"),
    ],
)
def test_a_failure_has_its_first_true_cause_and_what_to_do(
    workspace: Workspace,
    tmp_path: Path,
    runtime: str,
    behaviour: str,
    step: str,
    category: str,
    cause: str,
    hint: str,
) -> None:
    result = run(workspace, small(tmp_path, behaviour), tmp_path / "out", runtime=runtime)
    assert result.failure is not None
    assert [report.name for report in result.steps if report.status == "failed"] == [step]
    failure = result.failure
    assert (failure.category, cause in failure.message, hint in str(failure.hint)) == (category, True, True), failure


def test_a_clock_that_is_not_met_is_a_result_unless_it_is_required(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "lenient").mkdir()
    result = run(workspace, small(tmp_path / "lenient", "missed"), tmp_path / "lenient" / "out")
    assert result.status == "ok", result.failure
    found = json.loads((tmp_path / "lenient" / "out" / "artifacts" / "implementation.json").read_text())
    assert (found["met"], found["wns_ns"], found["stand_in"]) == (False, -3.463, True)
    assert "timing NOT met" in describe_result(result)
    strict = run(workspace, small(tmp_path / "strict", "missed", "true"), tmp_path / "strict" / "out")
    assert strict.failure is not None
    assert (strict.failure.category, "worst slack -3.463 ns" in strict.failure.message) == ("timing", True)


def test_a_step_that_hangs_ends_at_its_time_limit(workspace: Workspace, tmp_path: Path) -> None:
    config = small(tmp_path, "hang")
    text = config.read_text().replace('synthesize"\n', 'synthesize"\ntimeout_s = 3\n')
    config.write_text(text)
    result = run(workspace, config, tmp_path / "out")
    assert result.failure is not None
    assert result.failure.category == "timeout"


def test_an_older_vivado_has_no_qor_report_and_that_is_no_failure(workspace: Workspace, tmp_path: Path) -> None:
    config = small(tmp_path, "met")
    older = make_install(tmp_path / "older", "2019.2")
    result = run(workspace, config, tmp_path / "out", f"tools.vivado.path={older}")
    assert result.status == "ok", result.failure
    assert not (tmp_path / "out" / "artifacts" / "vivado_implementation" / "qor.json").exists()


@pytest.mark.in_both
def test_an_interrupt_ends_all_that_the_tool_has_started(
    workspace: Workspace, tmp_path: Path, environments: Path, surroundings: dict[str, str], runtime: str
) -> None:
    # Made before, so that the interrupt meets the tool.
    starter = workspace.starter(runtime, print)
    starter.prepare(next(info.ref for info in workspace.executors.known if info.ref.name == "vivado-synth"))
    config = small(tmp_path, "hang")
    assert_an_interrupt_ends_all([str(config)], surroundings, environments, least=2)
