"""Digits on a simulated board, its RTL and its routed netlist: every held-out frame, with the real host program."""

import json
import shutil
from pathlib import Path

import pytest
from bskernel.workspace.workspace import Workspace
from conftest import Cli
from support.builds import build, build_text
from support.paths import ROOT
from support.small_board import simulate

pytestmark = [pytest.mark.env, pytest.mark.proof, pytest.mark.timeout(3600)]
DIGITS = ROOT / "examples" / "digits"
FRAMES = 450


@pytest.fixture(scope="module")
def built(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build of flow board, with its routed netlist, and the board's RTL compiled."""
    folder = tmp_path_factory.mktemp("digits")
    (folder / "build.toml").write_text(
        f'build = {{ name = "digits-board", model = "{DIGITS / "digits_w4a4.onnx"}", flow = "board" }}\n'
        'target = { board = "ULX3S-85F", clock_ns = 12.5, target_fps = 100_000 }\n'
        f'quality = {{ samples = "{DIGITS / "heldout.npz"}" }}\n'
        "[step.wrap_board.parameters]\nself_test = true\n[step.route.parameters]\nwrite_netlist = true\n"
        '[[flow.edit.insert]]\nbefore = "metrics"\nentry = "rtl-sim:compile_board"\n'
    )
    result = build(workspace, folder / "build.toml", folder / "out")
    assert result.status == "ok", result.failure
    return folder / "out"


def run(build: Path, simulator: Path, cli: Cli) -> None:
    """Every frame is exact, in the self-test too, and the accelerator keeps the pace of its simulation."""
    with simulate(simulator) as (port, _):
        done = cli("board", "run", str(build), "--port", port, "--timeout", "300", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    simulation = json.loads((build / "artifacts" / "simulation.json").read_text())
    assert (measured["score"]["exact"], measured["score"]["frames"]) == (FRAMES, FRAMES)
    assert (measured["self_test"]["verdict"], measured["self_test"]["frames"]) == (1, FRAMES)
    assert measured["score"]["accuracy"] == simulation["accuracy"]
    assert measured["score"]["cycles_per_frame"] == simulation["cycles_per_frame"]


def test_digits_is_exact_on_the_simulated_board(built: Path, cli: Cli) -> None:
    run(built, built, cli)


def test_digits_is_exact_on_the_board_s_routed_netlist(
    built: Path, workspace: Workspace, tmp_path: Path, cli: Cli
) -> None:
    for name in ("board_rtl", "board", "routed_netlist.json"):
        source = built / "artifacts" / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, tmp_path / name)
    result = build_text(
        workspace,
        tmp_path,
        '[build]\nmodel = "number.txt"\n[target]\nboard = "ULX3S-85F"\n'
        '[[step]]\nentry = "rtl-sim:compile_library"\n'
        '[[step]]\nentry = "yosys-synth:model_routed_netlist"\n'
        'inputs = { rtl = "board_rtl", routed_netlist = "routed_netlist.json" }\n'
        '[[step]]\nentry = "rtl-sim:compile_board"\n'
        'inputs = { board_rtl = "model_routed_netlist.netlist", board = "board" }\n',
    )
    assert result.status == "ok", result.failure
    run(built, tmp_path / "out", cli)
