"""Designs that fork and join: sized, simulated, and explained where they fail."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bskernel.images import ensure_environment
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.branching_rtl import BEATS, write_branching_rtl
from support.builds import build
from support.paths import ROOT, SUPPORT
from support.waveform import Waveform

pytestmark = pytest.mark.env
# Of a frame that `work` keeps, all beats but the last have to go past it: the fork holds that one.
ENOUGH = BEATS - 1
HEAD = '[build]\nmodel = "rtl/top.sv"\n'
# Verilator's library is the same for all designs: the first build makes it, the others recall it.
LIBRARY = '[[step]]\nentry = "rtl-sim:compile_library"\n'
SIMULATED = (
    f'{LIBRARY}[[step]]\nname = "compile"\nentry = "rtl-sim:compile"\ninputs = {{ rtl = "rtl" }}\n'
    '[[step]]\nname = "simulate"\nentry = "rtl-sim:simulate"\n'
    'inputs = { rtl = "rtl", reference = "reference", expected = "expected" }\n'
)
SIZED = (
    f'{LIBRARY}[[step]]\nname = "compile"\nentry = "rtl-sim:compile"\ninputs = {{ rtl = "rtl" }}\n'
    "parameters = { throttle = true }\n"
    '[[step]]\nname = "size_fifos"\nentry = "rtl-sim:size_fifos"\n'
    'inputs = { rtl = "rtl", reference = "reference" }\nparameters = { frames = 6 }\n'
)


FLOW = """[build]
model = "{model}"
flow = "rtl"

[target]
part = "xczu7ev-ffvc1156-2-e"
target_fps = 100_000

[parameters.finn-step]
standalone_thresholds = true
"""


@pytest.fixture(scope="module")
def networks(workspace: Workspace, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the networks that branch."""
    folder = tmp_path_factory.mktemp("networks")
    recipe = next(one for one in workspace.recipes if one.name == "finn-step@finn-plus-1.6.1")
    python = str(ensure_environment(recipe, environments, print).python)
    subprocess.run([python, str(SUPPORT / "branching_networks.py"), str(folder)], check=True)
    return folder


@pytest.fixture(autouse=True)
def _compiler() -> None:
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler: install g++, as .ci/run does")


def run(workspace: Workspace, folder: Path, steps: str, *, depth: int, wrong: int = -1) -> BuildResult:
    write_branching_rtl(folder, depth=depth, wrong=wrong)
    (folder / "build.toml").write_text(HEAD + steps)
    return build(workspace, folder / "build.toml", folder / "out")


@pytest.mark.provokes("verification")
def test_a_deadlock_names_both_branches_and_the_smallest_depth_that_helps(
    workspace: Workspace, tmp_path: Path
) -> None:
    failure = run(workspace, tmp_path, SIMULATED, depth=2).failure
    assert failure is not None
    assert "deadlocked between fork_0 and join_0" in failure.message
    assert failure.cause == ("the branch that is full: short (depth 2)", "the branch that join_0 waits for: work")
    assert f"the smallest depths that help: short = {ENOUGH};" in str(failure.hint)


def test_the_waveform_of_a_deadlock_shows_who_waits_in_the_folder_of_its_replay(
    workspace: Workspace, environments: Path, tmp_path: Path
) -> None:
    waved = f"{SIMULATED}parameters = {{ waveform_frames = 2 }}\n"
    failure = run(workspace, tmp_path, waved, depth=2).failure
    assert failure is not None
    assert "deadlocked between fork_0 and join_0" in failure.message
    call = ["replay", str(tmp_path / "out"), "simulate", "--into", str(tmp_path / "again"), "--runtime", "process"]
    variables = {**os.environ, "BSKERNEL_ROOT": str(ROOT), "BSKERNEL_CACHE": str(environments)}
    program = str(Path(sys.executable).with_name("bskernel"))
    again = subprocess.run([program, *call], env=variables, capture_output=True, text=True, check=False)
    assert "deadlocked between fork_0 and join_0" in again.stdout + again.stderr
    (folder,) = (tmp_path / "again").iterdir()
    wave = Waveform(folder / "out" / "waves" / "streams.vcd")

    def last(name: str) -> object:
        return wave.sampled(f"accelerator.layers.{name}", 10)[-1]

    assert last("short.fill") == 2
    assert last("fork_0.out0.stalled") == last("short.in0.stalled") == "1"
    assert last("join_0.in0.valid") == last("join_0.in1.starved") == "1"
    assert last("work.out0.valid") == "0"
    moved = wave.sampled("accelerator.layers.fork_0.in0.moves", 10)
    assert 0 < moved.count("1") < BEATS


@pytest.mark.proof
def test_sizing_begins_without_deadlock_however_shallow_the_fifos_are(workspace: Workspace, tmp_path: Path) -> None:
    result = run(workspace, tmp_path, SIZED, depth=2)
    assert result.status == "ok", result.failure
    sizing = json.loads((tmp_path / "out" / "artifacts" / "fifo_config.json").read_text())
    assert sizing["fifo_depths"] == {"short": ENOUGH}
    assert sizing["cycles_per_frame"] == sizing["cycles_per_frame_unlimited"] == 2 * BEATS
    assert sizing["simulations"] < 20


@pytest.mark.proof
def test_where_hardware_and_python_differ_the_layer_is_named(workspace: Workspace, tmp_path: Path) -> None:
    failure = run(workspace, tmp_path, SIMULATED, depth=BEATS, wrong=1).failure
    assert failure is not None
    assert "the first layer that differs is work: frame 1, beat 3 of 8, in stream work -> join_0" in failure.message
    assert "what it takes is equal (fork_0 -> work)" in failure.message
    assert failure.cause[:2] == ("work gives [13]", "Python computes [12]")


@pytest.mark.proof
def test_a_wrong_frame_that_python_did_not_compute_is_looked_for_in_repeated_frames(
    workspace: Workspace, tmp_path: Path
) -> None:
    failure = run(workspace, tmp_path, SIMULATED, depth=BEATS, wrong=3).failure
    assert failure is not None
    assert "the first layer that differs is work: frame 3, beat 3 of 8" in failure.message
    assert "repeated" in failure.message


@pytest.mark.proof
def test_the_depth_that_is_said_to_help_helps(workspace: Workspace, tmp_path: Path) -> None:
    result = run(workspace, tmp_path, SIMULATED, depth=ENOUGH)
    assert result.status == "ok", result.failure


def build_network(workspace: Workspace, networks: Path, name: str, folder: Path, runtime: str = "process") -> Path:
    """Build the flow rtl; return the artifacts of a design that is exact and at least as fast as estimated."""
    (folder / "build.toml").write_text(FLOW.format(model=networks / f"{name}.onnx"))
    result = build(workspace, folder / "build.toml", folder / "out", runtime=runtime)
    assert result.status == "ok", result.failure
    artifacts = folder / "out" / "artifacts"
    simulation = json.loads((artifacts / "simulation.json").read_text())
    assert (simulation["frames"], simulation["mismatches"]) == (32, 0)
    assert simulation["cycles_per_frame"] <= simulation["estimated_cycles"]
    assert json.loads((artifacts / "fifo_config.json").read_text())["simulations"] < 150
    return artifacts


@pytest.mark.in_both
def test_a_residual_network_is_exact(own_workspace: Workspace, networks: Path, tmp_path: Path, runtime: str) -> None:
    build_network(own_workspace, networks, "residual", tmp_path, runtime)


def test_a_defect_planted_in_a_residual_network_is_found_in_its_layer(
    workspace: Workspace, networks: Path, tmp_path: Path
) -> None:
    artifacts = build_network(workspace, networks, "residual", tmp_path)
    planted = tmp_path / "planted"
    for name in ("rtl", "simulator", "reference", "expected"):
        shutil.copytree(artifacts / name, planted / name)
    weights = planted / "rtl" / "mem" / "MVAU_rtl_1_memblock.dat"
    text = weights.read_text()
    weights.write_text(f"{int(text[0], 16) ^ 7:x}{text[1:]}")
    (planted / "build.toml").write_text(
        HEAD + '[[step]]\nname = "simulate"\nentry = "rtl-sim:simulate"\ninputs = { rtl = "rtl", '
        'simulator = "simulator", reference = "reference", expected = "expected" }\n'
    )
    failure = build(workspace, planted / "build.toml", planted / "out").failure
    assert failure is not None
    assert "the first layer that differs is MVAU_rtl_1: frame " in failure.message


@pytest.mark.proof
@pytest.mark.parametrize("name", ["residual-blocks", "skip"])
def test_three_residual_blocks_and_a_small_u_net_are_exact(
    workspace: Workspace, networks: Path, tmp_path: Path, name: str
) -> None:
    build_network(workspace, networks, name, tmp_path)
