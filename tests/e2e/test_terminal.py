"""What a person sees on a terminal, and what a pipe gets: real commands, a real terminal."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.eventually import eventually
from support.kill_points import processes_with
from support.paths import BSKERNEL
from support.terminal import Terminal

CONFIG = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
name = "again"
entry = "testing:nap"
"""
SWEEP = """
[sweep]
maximize = "LUT"
[sweep.grid]
"build.salt" = ["one", "two"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "number.txt").write_text("5")
    path = tmp_path / "build.toml"
    path.write_text(CONFIG)
    return path


def test_a_build_on_a_terminal_ends_with_the_command_that_makes_its_page(
    surroundings: dict[str, str], config: Path
) -> None:
    shown = Terminal([BSKERNEL, "run"], config.parent, surroundings)
    assert shown.wait() == 0, shown.text
    lines = shown.text.splitlines()
    assert lines[-1] == "page     bskernel report build/b --open"
    assert any(line.startswith("b: ok, 2 steps ran, 0 recalled, ") for line in lines)
    assert shown.text.count("testing@1") == 1
    again = subprocess.run(
        [*lines[-1].split()[1:4]], cwd=config.parent, env=surroundings | {"PATH": str(Path(BSKERNEL).parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert (config.parent / "build" / "b" / "report.html").is_file()


@pytest.mark.parametrize("options", [(), ("--quiet",)])
def test_a_pipe_and_a_dumb_terminal_get_plain_lines_that_end_with_the_folder(
    surroundings: dict[str, str], config: Path, options: tuple[str, ...]
) -> None:
    piped = subprocess.run(
        [BSKERNEL, "run", *options], cwd=config.parent, env=surroundings, capture_output=True, text=True, check=True
    )
    dumb = Terminal([BSKERNEL, "run", *options], config.parent, surroundings, term="dumb")
    assert dumb.wait() == 0
    for text in (piped.stdout, dumb.text):
        assert text.splitlines()[-1].endswith(str(config.parent / "build" / "b"))
        assert "page " not in text
    assert b"\x1b" not in dumb.raw
    assert "\x1b" not in piped.stdout + piped.stderr


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {}])
def test_a_terminal_without_colours_has_the_box_all_the_same(
    surroundings: dict[str, str], config: Path, variables: dict[str, str]
) -> None:
    shown = Terminal(["env", *(f"{name}={value}" for name, value in variables.items()), BSKERNEL, "run"],
                     config.parent, surroundings)  # fmt: skip
    assert shown.wait() == 0
    assert "b: ok, 2 steps ran" in shown.text
    assert (b"\x1b[1;32m" in shown.raw) is not bool(variables)


NAPS = """
[build]
name = "b"
model = "number.txt"
[limits]
jobs = 2
[[step]]
name = "one"
entry = "testing:nap"
[[step]]
name = "two"
entry = "testing:meet"
parameters = { word = "two", until = ["never"] }
"""


@pytest.fixture
def endless(config: Path) -> Path:
    config.write_text(NAPS)
    return config


@pytest.mark.parametrize("columns", [100, 40])
def test_a_running_step_is_on_the_board_and_ctrl_c_leaves_a_sane_terminal(
    surroundings: dict[str, str], endless: Path, columns: int
) -> None:
    shown = Terminal([BSKERNEL, "run"], endless.parent, surroundings, columns=columns)
    shown.await_that(lambda: any(line.startswith("  two ") for line in shown.screen), "two on the board")
    board = next(line for line in shown.screen if "1/2 steps" in line)
    assert len(board) < columns
    shown.press(b"\x03")
    code = shown.wait()
    assert code == 130, shown.text
    assert shown.is_sane
    assert not any("1/2 steps" in line for line in shown.screen)
    assert "interrupted: every process of the build has ended" in " ".join(shown.text.split())


def test_a_terminal_that_becomes_narrow_and_wide_keeps_the_lines_above_the_board(
    surroundings: dict[str, str], endless: Path
) -> None:
    shown = Terminal([BSKERNEL, "run"], endless.parent, surroundings)
    shown.await_that(lambda: any(line.startswith("  two ") for line in shown.screen), "two on the board")
    for columns in (40, 90, 30, 100):
        drawn = len(shown.raw)
        shown.resize(columns)
        shown.await_that(lambda drawn=drawn: len(shown.raw) > drawn + 200, "drawings")  # type: ignore[misc]
    shown.press(b"\x03")
    assert shown.wait() == 130
    assert shown.text.count("  ran ") == 1
    assert shown.is_sane


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_the_board_up_again(
    surroundings: dict[str, str], endless: Path
) -> None:
    shell = ["bash", "--norc", "--noprofile", "-i"]
    shown = Terminal(shell, endless.parent, surroundings | {"PS1": "ready> "})
    shown.await_text("ready> ")
    shown.press(f"{BSKERNEL} run\n".encode())
    shown.await_that(lambda: any(line.startswith("  two ") for line in shown.screen), "two on the board")
    shown.press(b"\x1a")
    shown.await_text("Stopped")
    shown.press(b"echo $((40 + 2)) is here\n")
    shown.await_text("42 is here")
    assert shown.has_cursor
    shown.press(b"fg\n")
    shown.await_that(lambda: any(line.startswith("  two ") for line in shown.screen[-60:]), "the board")
    before = shown.raw.count(b"1/2 steps")
    shown.await_that(lambda: shown.raw.count(b"1/2 steps") > before + 1, "drawings")
    assert "42 is here" in shown.text  # what the shell showed is not erased
    shown.press(b"\x03")
    shown.await_text("every process of the build has ended")
    shown.press(b"exit 7\n")
    assert shown.wait() == 7


def test_a_build_in_the_background_prints_its_lines_and_draws_no_board(
    surroundings: dict[str, str], endless: Path
) -> None:
    shell = ["bash", "--norc", "--noprofile", "-i"]
    shown = Terminal(shell, endless.parent, surroundings | {"PS1": "ready> "})
    shown.await_text("ready> ")
    shown.press(f"{BSKERNEL} run &\n".encode())
    shown.await_text("  ran ")
    shown.press(b"echo $((40 + 2)) is here\n")
    shown.await_text("42 is here")
    assert b"1/2 steps" not in shown.raw
    shown.press(b"kill -INT %1; wait; echo $((50 + 2)) is over\n")
    shown.await_text("52 is over")
    assert "42 is here" in shown.text
    shown.press(b"exit 7\n")
    assert shown.wait() == 7


def test_a_window_that_is_closed_ends_the_build_and_leaves_no_process(
    surroundings: dict[str, str], endless: Path
) -> None:
    shown = Terminal([BSKERNEL, "run"], endless.parent, surroundings)
    shown.await_that(lambda: any(line.startswith("  two ") for line in shown.screen), "two on the board")
    shown.close()
    assert shown.wait() != 0
    eventually(lambda: processes_with(Path(surroundings["BSKERNEL_CACHE"])) == [])


def test_a_killed_build_leaves_a_terminal_with_a_cursor(surroundings: dict[str, str], endless: Path) -> None:
    shown = Terminal([BSKERNEL, "run"], endless.parent, surroundings)
    shown.await_that(lambda: any(line.startswith("  two ") for line in shown.screen), "two on the board")
    os.kill(shown.pid, signal.SIGKILL)
    shown.wait()
    assert shown.is_sane
    eventually(lambda: processes_with(Path(surroundings["BSKERNEL_CACHE"])) == [])
