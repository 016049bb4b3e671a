"""`bskernel init` as a user runs it: in a fresh folder, with a model alone, at a terminal and without one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
import yaml
from bskernel.cli.group import cli
from bskernel.core.errors import ConfigError
from bskernel.workspace.workspace import Workspace
from click.testing import CliRunner
from support.builds import build
from support.paths import ROOT
from support.seeded_networks import make_mlp

pytestmark = pytest.mark.env
BOARD = ("--board", "zcu104")


class Project(NamedTuple):
    """A folder of a user, and the variables of the user's commands."""

    folder: Path
    variables: dict[str, str]

    def init(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `bskernel init` without a terminal."""
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.variables, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=300,
        )  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from bskernel.cli import program; program()", "init", *arguments]

    def names(self) -> set[str]:
        """What is in the folder, at any depth."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path, environments: Path) -> Project:
    folder = tmp_path / "my network"
    folder.mkdir()
    onnx.save(make_mlp(0), folder / "net.onnx")
    names = {"BSKERNEL_ROOT": str(ROOT), "BSKERNEL_CACHE": str(environments), "BSKERNEL_RUNTIME": "process"}
    return Project(folder, {**os.environ, **names})


def test_a_folder_with_a_model_becomes_a_build_that_runs(project: Project, workspace: Workspace) -> None:
    done = project.init(*BOARD, "--target-fps", "1000")
    assert done.returncode == 0, done.stderr
    assert "wrote build.toml" in done.stdout
    assert "2 MatMul" in done.stdout
    data = tomllib.loads((project.folder / "build.toml").read_text())
    assert data["target"] == {"board": "ZCU104", "clock_ns": 5.0, "target_fps": 1000}
    assert project.names() == {"net.onnx", "build.toml"}  # nothing else is left behind
    result = build(workspace, project.folder / "build.toml", project.folder / "out", last="cleanup")
    assert result.status == "ok", result.failure


def test_finns_own_configuration_becomes_a_build_that_runs(project: Project, workspace: Workspace) -> None:
    folder = project.folder / "finn"
    folder.mkdir()
    (folder / "build_config.yaml").write_text(
        "board: Pynq-Z1\nsynth_clk_period_ns: 10.0\ntarget_fps: 1000\ngenerate_outputs: [estimate_reports]\n"
        "folding_config_file: folding.json\nlayouts_config_file: x.json\nmodel_path: ../net.onnx\n"
    )
    (folder / "folding.json").write_text('{"Defaults": {}}')
    done = project.init("--from-finn", "finn/build_config.yaml", "--output", "finn.toml")
    assert done.returncode == 0, done.stderr
    assert "lost: layouts_config_file" in done.stderr
    data = tomllib.loads((project.folder / "finn.toml").read_text())
    assert data["build"] == {"model": "net.onnx", "flow": "estimate"}
    assert data["step"]["step_apply_folding_config"]["inputs"] == {"folding_config": "finn/folding.json"}
    result = build(workspace, project.folder / "finn.toml", project.folder / "out", last="cleanup")
    assert result.status == "ok", result.failure


def test_a_file_that_exists_is_replaced_only_by_force(project: Project) -> None:
    (project.folder / "build.toml").write_text("mine")
    done = project.init(*BOARD)
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (project.folder / "build.toml").read_text() == "mine"
    assert project.init(*BOARD, "--force").returncode == 0
    assert (project.folder / "build.toml").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.onnx",), ("nowhere.onnx: no such file", "net.onnx")),
        (("net.pt",), ("zip archive", "export_qonnx")),
        (("cut.onnx",), ("cut.onnx is no ONNX file", "cut off")),
        (("--board", "ZCU999"), ("unknown board 'ZCU999'", "boards: ")),
        (("--board", "ZCU104", "--part", "xc7z020clg400-1"), ("exclude each other",)),
        (("--flow", "estmate"), ("unknown flow", "did you mean 'estimate'")),
        (("--clock-ns", "-1"), ("clock_ns", "above 0")),
        (("--output", "../build.toml"), ("outside the working folder",)),
        (("--output", "nowhere/build.toml"), ("there is no folder nowhere",)),
        (("--from-finn", "build.py"), ("Python script", "to_json")),
        (("--from-finn", "list.json"), ("list.json", "object")),
    ],
)
def test_a_mistake_is_named_with_what_to_do_and_nothing_is_written(
    project: Project, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    (project.folder / "net.pt").write_bytes(b"PK\x03\x04 and more")
    (project.folder / "cut.onnx").write_bytes((project.folder / "net.onnx").read_bytes()[:100])
    (project.folder / "list.json").write_text("[]")
    before = project.names()
    named = () if arguments[0].endswith((".onnx", ".pt")) else ("net.onnx",)
    monkeypatch.chdir(project.folder)
    error = CliRunner().invoke(cli, ["init", *named, *arguments], env=project.variables).exception
    assert isinstance(error, ConfigError), error
    for text in said:
        assert text in f"{error.message} -> {error.hint}"
    assert project.names() == before


def test_several_models_are_listed(project: Project) -> None:
    (project.folder / "other.onnx").write_bytes((project.folder / "net.onnx").read_bytes())
    done = project.init(*BOARD)
    assert done.returncode == 2
    assert "net.onnx, other.onnx" in done.stderr


def test_without_a_terminal_a_board_is_assumed_and_said(project: Project) -> None:
    done = project.init()
    assert done.returncode == 0, done.stderr
    assert "ZCU104 is assumed" in done.stderr


def test_a_ci_file_runs_the_build_and_leaves_another_ci_file_as_it_is(project: Project) -> None:
    assert project.init(*BOARD, "--ci", "github", "--output", "my build.toml").returncode == 0
    job = yaml.safe_load((project.folder / ".github" / "workflows" / "bskernel.yml").read_text())
    runs = [step["run"] for step in job["jobs"]["build"]["steps"] if "run" in step]
    assert "bskernel run 'my build.toml' --runtime process --junit bskernel.xml" in runs
    (project.folder / ".gitlab-ci.yml").write_text("mine")
    done = project.init(*BOARD, "--ci", "gitlab")
    assert done.returncode == 0
    assert "include:" in done.stderr
    assert (project.folder / ".gitlab-ci.yml").read_text() == "mine"
    assert "bskernel run build.toml" in (project.folder / ".gitlab" / "bskernel.yml").read_text()


@pytest.mark.parametrize(
    ("answers", "code", "board"),
    [
        ((b"pynqz2\n", b"pynq-z2\n"), 0, "Pynq-Z2"),
        ((b"\n",), 0, "ZCU104"),
        ((b"\x04",), 130, None),
        ((b"\x03",), 130, None),
    ],
)
def test_at_a_terminal_the_board_is_asked_for(
    project: Project, answers: tuple[bytes, ...], code: int, board: str | None
) -> None:
    shown, found = answer(project, answers)
    assert found == code, shown
    for family in ("Zynq UltraScale+", "Alveo"):
        assert family in shown
    if board is None:
        assert "nothing is written" in shown
        assert project.names() == {"net.onnx"}
    else:
        assert tomllib.loads((project.folder / "build.toml").read_text())["target"]["board"] == board
    assert "Traceback" not in shown


def answer(project: Project, answers: tuple[bytes, ...]) -> tuple[str, int]:
    """Run `bskernel init` at a terminal, and answer its questions."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(project.folder)
        os.execve(sys.executable, project.command(), project.variables)  # noqa: S606 - in place of the fork
    shown, waiting, given = b"", list(answers), b""
    while True:
        # An interrupt between Python's last look for one and its wait for a line wakes nothing: people press again.
        if given == b"\x03" and not select.select([terminal], [], [], 5)[0]:
            os.write(terminal, given)
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the terminal is closed: the command has ended
            break
        shown += part
        if shown.rstrip().endswith(b"board [ZCU104]:") and waiting:
            given = waiting.pop(0)
            os.write(terminal, given)
            shown += b"\n"
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
