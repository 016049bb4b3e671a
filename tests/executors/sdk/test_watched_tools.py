"""Tools that a library starts, and does not look at."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel_executors.sdk.watched_tools import ToolExit, WatchedTools

Tool = Callable[[str], None]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Put a program `vivado` into PATH that runs the given script."""
    folder = tmp_path / "install" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(script: str) -> None:
        (folder / "vivado").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "vivado").chmod(0o755)

    return make


def watched(folder: Path, *commands: str) -> WatchedTools:
    """Run commands as FINN does: in a shell script whose own exit code hides the tool's."""
    tools = WatchedTools(folder / "it's here", ("vivado", "vitis_hls"))
    with tools:
        for command in commands:
            subprocess.run(["sh", "-c", f"{command}\ncd /"], check=True, capture_output=True)
    return tools


def test_a_tool_s_exit_code_and_words_are_known_where_a_script_hides_them(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool('echo "ERROR: [Common 17-345] no licence for $1"; echo to-stderr >&2; exit ${2:-0}')
    tools = watched(tmp_path, "vivado 'a b'", "vivado c 3", "vivado d 4")
    assert [run.code for run in tools.exits] == [0, 3, 4]
    assert tools.first_failure == ToolExit(tool="vivado", code=3)
    printed = capsys.readouterr().out
    assert printed == tools.output
    assert printed.splitlines()[:2] == ["ERROR: [Common 17-345] no licence for a b", "to-stderr"]


def test_a_tool_that_dies_of_a_signal_says_so(tool: Tool, tmp_path: Path) -> None:
    tool("kill -SEGV $$")
    assert watched(tmp_path, "vivado").first_failure == ToolExit(tool="vivado", code=139)


def test_nothing_is_left_in_path_and_what_is_not_there_is_not_made_up(tool: Tool, tmp_path: Path) -> None:
    tool("exit 0")
    before = os.environ["PATH"]
    tools = watched(tmp_path, "vivado", "vitis_hls || true")
    assert os.environ["PATH"] == before
    assert tools.exits == (ToolExit(tool="vivado", code=0),)
    assert tools.first_failure is None
