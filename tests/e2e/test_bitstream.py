"""Flow bitstream with the stand-ins for Vivado and Vitis HLS: from a network to what stands for a bitstream."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel.commands.build import run_build
from bskernel.core.errors import ConfigError
from bskernel.core.observers import SilentObserver
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.workspace import Workspace
from support.paths import ROOT
from vivado_stand_in.install import make_dependencies, make_hls_install, make_install
from vivado_stand_in.interrupt import assert_an_interrupt_ends_all

EXAMPLE = ROOT / "examples" / "digits" / "bitstream.toml"
OTHER = "2023.1"
OOC, BITFILE = "step_out_of_context_synthesis", "step_synthesize_bitfile"
WITH_TOOLS = ["step_hw_ipgen", "step_set_fifo_depths", "step_create_stitched_ip", OOC, BITFILE]
AFTER = ["step_make_driver", "step_deployment_package", "metrics"]
PRODUCTS = ("stitched_ip", "out_of_context", "bitfile", "driver", "deploy")
DEPS = f'[step.{BITFILE}]\ninputs = {{ deps = "finn_deps" }}\n'
Build = Callable[..., BuildResult]


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """The example with some of its text replaced, elsewhere."""
    text = EXAMPLE.read_text()
    for name in ("digits_w4a4.onnx", "heldout.npz"):
        changes = (*changes, (name, str(EXAMPLE.parent / name)))
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "changed.toml").write_text(text)
    return folder / "changed.toml"


def settings_in(folder: Path, name: str = "Xilinx") -> list[str]:
    """Installs and dependencies of the example's, laid out below `folder`; the same ones wherever that is."""
    hls, deps = make_hls_install(folder / name), folder / "deps"
    if not deps.exists():
        make_dependencies(deps)
    return [
        f"tools.vivado.path={make_install(folder / name)}",
        f"tools.vitis_hls.path={hls}",
        f"step.{BITFILE}.inputs.deps={deps}",
    ]


def with_other(folder: Path, step: str, behaviour: str, tool: str = "vivado") -> list[str]:
    """Another version of a tool for one step, which ends as `behaviour` says."""
    make = {"vivado": make_install, "vitis_hls": make_hls_install}[tool]
    other = make(folder / "other", OTHER, behaviour=behaviour)
    return [f'tools.{tool}.versions."{OTHER}"={other}', f'step.{step}.tools.{tool}="{OTHER}"']


@pytest.fixture
def build(workspace: Workspace, tmp_path: Path, runtime: str) -> Build:
    """Build the example; what it does alike is recalled from test to test."""

    def run(
        *settings: str, name: str = "out", runtime: str = runtime, salt: str = "", config: Path = EXAMPLE
    ) -> BuildResult:
        salted = [f"build.salt={salt}"] if salt else []
        prepared = workspace.prepare(config, settings=[*settings, *salted], output=tmp_path / name)
        return run_build(workspace, prepared, SilentObserver(), options=BuildOptions(runtime=runtime))

    return run


def ran(result: BuildResult) -> list[str]:
    return [step.name for step in result.steps if step.status == "ran"]


@pytest.mark.in_both
def test_digits_become_a_bitstream_whose_numbers_cannot_pass_for_hardware_s(
    build: Build, tmp_path: Path, runtime: str
) -> None:
    settings = settings_in(tmp_path)
    # A salt, as containers are not to recall what processes have made.
    result = build(*settings, salt="docker" if runtime == "docker" else "")
    assert result.status == "ok", result.failure
    # No layer is HLS.
    assert [step.items for step in result.steps if step.name == "step_hw_ipgen"] == [()]
    artifacts = tmp_path / "out" / "artifacts"
    for name in PRODUCTS:
        assert any((artifacts / name).iterdir()), name
    assert "STAND-IN" in (artifacts / "deploy" / "bitfile" / "finn-accel.bit").read_text()
    assert "finn_design" in (artifacts / "stitched_ip" / "component.xml").read_text()
    assert json.loads((artifacts / "driver" / "settings.json").read_text())["driver_information"]["fclk_mhz"] == 100
    # Nothing of this machine, of the libraries or of the session is in what others may take.
    private = [str(tmp_path).encode(), sys.prefix.encode(), b"/sessions/", b"/envs/", b"/bskernel/", b"/opt/bskernel"]
    for path in artifacts.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert not [text for text in private if text in data], path
    assert result.metrics is not None
    values = [value for quantity in ("slack", "power", "clock", "throughput") for value in result.metrics[quantity]]
    values += [value for quantity in result.metrics["resources"].values() for value in quantity]
    sources = {(value["stage"], value["source"].startswith("stand-in (report/")) for value in values}
    assert sources == {("estimate", False), ("routed", True)}
    assert "timing_met" not in result.metrics
    shown = describe_result(result)
    assert "206,396 inferences/s  [stand-in, not hardware]" in shown
    assert "they are no results" in shown
    if runtime == "docker":
        # The same bytes, whichever runtime made them.
        alone = build(*settings, name="process", runtime="process")
        assert [step.outputs for step in alone.steps] == [step.outputs for step in result.steps]


def test_binary_state_with_a_path_of_the_machine_is_left_out_with_a_warning(build: Build, tmp_path: Path) -> None:
    result = build(*settings_in(tmp_path))
    shown = describe_result(result)
    for where, name in (("state", "vivado.pb"), ("state", "synthesis.wdf"), ("output/stitched_ip", "synthesis.wdf")):
        assert f"1 binary files with a path of this machine are left out of `{where}`: {name}" in shown, shown
        assert not list((tmp_path / "out" / "artifacts").rglob(name))
    assert list((tmp_path / "out" / "artifacts" / "state").rglob("runme.log"))


@pytest.mark.parametrize(
    ("stage", "last"), [("ip", "step_create_stitched_ip"), ("netlist", OOC), ("bitstream", "metrics")]
)
def test_a_build_ends_at_a_stage(workspace: Workspace, tmp_path: Path, stage: str, last: str) -> None:
    settings = [*settings_in(tmp_path), f"flow.output_type={stage}"]
    prepared = workspace.prepare(EXAMPLE, settings=settings, output=tmp_path / "out")
    assert [step.name for step in prepared.plan.steps][-1] == last
    given = {step.name: [tool.tool for tool in step.executor.tools] for step in prepared.plan.steps}
    both = {"step_hw_ipgen", "step_set_fifo_depths", BITFILE}
    assert {name for name, tools in given.items() if tools == ["vitis_hls", "vivado"]} == both & given.keys()
    assert {name for name, tools in given.items() if tools} == set(WITH_TOOLS) & given.keys()


def test_the_same_tools_elsewhere_are_a_hit_and_another_version_reruns_what_uses_it(
    build: Build, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    assert build(*settings).status == "ok"
    assert ran(build(*settings_in(tmp_path, "moved"), name="moved-out")) == []
    # Two versions in one build: the step with the other one, and what is made of it.
    result = build(*settings, *with_other(tmp_path, OOC, "met"))
    assert result.status == "ok", result.failure
    assert ran(result) == [OOC, BITFILE, *AFTER]
    makers = json.loads((tmp_path / "out" / "artifacts" / "output" / "report" / "made_by.json").read_text())
    assert makers["ooc_synth_and_timing.json"] == "Vivado STAND-IN 2023.1 build 1000001"
    assert makers["post_synth_resources.json"] == "Vivado STAND-IN 2024.2 build 1000001"
    # Another version for all: nothing before its first step runs again, and no layer is HLS.
    other = f"tools.vivado.path={make_install(tmp_path / 'later', '2025.1', layout='Vivado below VERSION')}"
    result = build(*settings, other, "flow.output_type=ip", name="later-out")
    assert result.status == "ok", result.failure
    assert ran(result) == WITH_TOOLS[1:3]


@pytest.mark.parametrize(
    ("behaviour", "category", "cause", "hint"),
    [
        # FINN does not look at how Vivado ends when it stitches: it finds the wrapper, and would go on.
        ("packaging", "synthesis", "IP_Flow 19-167", ""),
        ("licence", "licence", "Common 17-345", "XILINXD_LICENSE_FILE"),
        ("syntax", "synthesis", "Synth 8-439", "nothing defines the module mvu_vvu"),
        ("crash", "crash", "unexpected error has occurred (11)", "another version"),
        ("out_of_memory", "out_of_memory", "Killed", "memory_mib"),
        ("disk_full", "environment", "No space left on device", "BSKERNEL_CACHE"),
        ("lost_memory", "synthesis", "could not open $readmem", "without its contents"),
        ("resource", "resource", "Place 30-640", "larger target.part"),
    ],
)
def test_a_failure_has_its_first_true_cause_and_what_to_do(
    build: Build, tmp_path: Path, behaviour: str, category: str, cause: str, hint: str
) -> None:
    step = "step_create_stitched_ip" if behaviour == "packaging" else OOC
    result = build(*settings_in(tmp_path), *with_other(tmp_path, step, behaviour))
    assert result.failure is not None
    assert [found.name for found in result.steps if found.status == "failed"] == [step]
    failure = result.failure
    assert (failure.category, cause in failure.message, hint in str(failure.hint)) == (category, True, True), failure


def test_layers_in_hls_become_ips_and_their_counts_are_marked(build: Build, tmp_path: Path) -> None:
    deps = [f"step.{step}.inputs.deps={tmp_path / 'deps'}" for step in WITH_TOOLS[:2]]
    without = json.dumps([*WITH_TOOLS[3:], *AFTER[:2]])
    config = changed(tmp_path, (DEPS, f"[flow.edit]\nremove = {without}"))
    settings = [*settings_in(tmp_path)[:2], "parameters.finn-step.standalone_thresholds=false"]
    failure = build(*settings, config=config).failure
    assert failure is not None
    assert (failure.category, "step_hw_ipgen: Vitis HLS needs finn-hlslib" in failure.message) == ("config", True)
    assert "[step.step_hw_ipgen] inputs = { deps" in str(failure.hint)
    result = build(*settings, *deps, config=config)
    assert result.status == "ok", result.failure
    assert (
        "MVAU_hls_0" in (tmp_path / "out" / "artifacts" / "output" / "stitched_ip" / "make_project.tcl").read_text()
    )
    assert result.metrics is not None
    counts = {value["source"] for value in result.metrics["resources"]["LUT"] if value["stage"] == "hls"}
    assert counts == {"stand-in (report/estimate_layer_resources_hls.json)"}


def test_hls_that_has_no_licence_says_so(build: Build, tmp_path: Path) -> None:
    failure = build(*settings_in(tmp_path), *with_other(tmp_path, BITFILE, "licence", "vitis_hls")).failure
    assert failure is not None
    assert (failure.category, "vitis_hls ended with exit code 1: ERROR: [Common 17-345]" in failure.message) == (
        "licence",
        True,
    )
    assert "no licence for HLS" in str(failure.hint)


def test_a_clock_that_is_not_met_is_flagged_and_a_failure_where_it_is_required(build: Build, tmp_path: Path) -> None:
    settings = [*settings_in(tmp_path), *with_other(tmp_path, BITFILE, "missed")]
    lenient = build(*settings)
    assert lenient.status == "ok", lenient.failure
    assert "timing is not met, according to the stand-in for Vivado" in describe_result(lenient)
    strict = build(*settings, "step.metrics.parameters.require_timing=true", name="strict")
    assert strict.failure is not None
    assert (strict.failure.category, "-3.463 ns (stand-in (" in strict.failure.message) == ("timing", True)


def test_a_stand_in_cannot_say_that_a_required_clock_is_met(build: Build, tmp_path: Path) -> None:
    result = build(*settings_in(tmp_path), "step.metrics.parameters.require_timing=true")
    assert result.failure is not None
    assert result.failure.category == "metrics"
    assert "all numbers are from the stand-in for Vivado" in result.failure.message


def test_a_step_that_hangs_ends_at_its_time_limit(build: Build, tmp_path: Path) -> None:
    result = build(*settings_in(tmp_path), *with_other(tmp_path, OOC, "hang"), f"step.{OOC}.timeout_s=3")
    assert result.failure is not None
    assert result.failure.category == "timeout"


def test_dependencies_are_asked_for_before_anything_runs_and_a_missing_board_is_named(
    workspace: Workspace, build: Build, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    without = changed(tmp_path, (DEPS, ""))
    with pytest.raises(ConfigError, match="input 'deps' has no source"):
        workspace.prepare(without, settings=settings[:2])
    empty = tmp_path / "nothing"
    empty.mkdir()
    (empty / "README").write_text("nothing yet")
    failure = build(*settings[:2], f"step.{BITFILE}.inputs.deps={empty}").failure
    assert failure is not None
    assert (failure.category, "finn deps update" in str(failure.hint)) == ("config", True)
    (tmp_path / "deps" / "board_files" / "pynq-z1" / "A.0" / "board.xml").unlink()
    failure = build(*settings).failure
    assert failure is not None
    assert (failure.category, "Board 49-71" in failure.message) == ("config", True)
    assert "board_files of the input deps" in str(failure.hint)


def test_a_version_of_finn_that_does_not_offer_the_flow_says_so(workspace: Workspace, tmp_path: Path) -> None:
    for setting in ("executors.finn-step=finn-plus-1.4.0", "build.backend=finn-plus-1.4.0"):
        with pytest.raises(ConfigError, match=r"'bitstream' does not run on|does not offer the flow 'bitstream'"):
            workspace.prepare(EXAMPLE, settings=[*settings_in(tmp_path / setting[:5]), setting])


@pytest.mark.in_both
def test_an_interrupt_ends_the_tool_and_all_that_it_has_started(
    build: Build, tmp_path: Path, environments: Path, surroundings: dict[str, str]
) -> None:
    # What comes before is recalled, so that the interrupt meets the tool's run of a run.
    settings = settings_in(tmp_path)
    assert build(*settings, "flow.output_type=ip").status == "ok"
    arguments = [part for text in [*settings, *with_other(tmp_path, OOC, "hang")] for part in ("--set", text)]
    # The server, its child, FINN's shell, Vivado, the run that it has launched, and what that has orphaned.
    told = [str(EXAMPLE), "--output", str(tmp_path / "out"), *arguments]
    assert_an_interrupt_ends_all(told, surroundings, environments, least=6)


def test_a_netlist_has_metrics_and_needs_neither_board_nor_dependencies(build: Build, tmp_path: Path) -> None:
    part = ('board = "Pynq-Z1"', 'part = "xczu7ev-ffvc1156-2-e"')
    config = changed(tmp_path, part, (DEPS, f'[flow.edit]\nremove = ["{BITFILE}", "{AFTER[0]}", "{AFTER[1]}"]'))
    result = build(*settings_in(tmp_path)[:2], config=config)
    assert result.status == "ok", result.failure
    assert result.metrics is not None
    assert result.metrics["resources"]["LUT"][-1]["source"] == "stand-in (report/ooc_synth_and_timing.json)"
    assert "of the device)  [stand-in, not hardware]" in describe_result(result)
