"""The log of a real build: who imports structlog, what --verbose shows, and whose configuration it is."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.paths import BSKERNEL

CONFIG = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:meet"
parameters = { word = "ü" }
"""
SWEEP = """
[sweep.grid]
"build.salt" = ["one", "two"]
"""
# Runs a command of bskernel, and then tells whether structlog was imported.
WATCHED = """
import sys
from bskernel.cli import main
path = sys.argv.pop(1)
try:
    main()
except SystemExit as ended:
    assert not ended.code
finally:
    with open(path, "w") as file:
        print("structlog" in sys.modules, file=file)
"""
# Builds in a program that has configured structlog for itself.
PROGRAM = """
import sys
import structlog
structlog.configure(
    processors=[structlog.processors.JSONRenderer(sort_keys=True)], logger_factory=structlog.PrintLoggerFactory()
)
before = structlog.get_config()
import bskernel
result = bskernel.run(sys.argv[1], runtime="process")
assert [step.status for step in result.steps] == ["ran", "ran"], result
assert structlog.get_config() == before
structlog.get_logger().info("mine", b=1, a=2)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "number.txt").write_text("5")
    path = tmp_path / "build.toml"
    path.write_text(CONFIG)
    return path


def imports_structlog(surroundings: dict[str, str], folder: Path, *arguments: str) -> bool:
    command = [sys.executable, "-c", WATCHED, str(folder / "watched"), *arguments]
    done = subprocess.run(command, env=surroundings, check=False, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return (folder / "watched").read_text().strip() == "True"


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_build_imports_structlog_when_a_step_runs_or_it_is_verbose(
    surroundings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    run = ("run", str(config))
    assert imports_structlog(surroundings, tmp_path, *run)
    ran = events(tmp_path / "build" / "b")
    assert not imports_structlog(surroundings, tmp_path, *run)
    recalled = events(tmp_path / "build" / "b")
    assert imports_structlog(surroundings, tmp_path, *run, "--verbose")
    assert imports_structlog(surroundings, tmp_path, *run, "--fresh")
    # Of a build that runs and of one that recalls: the same events, each with the same keys in the same order.
    steps = [[list(event) for event in log if event["event"] != "note"] for log in (ran, recalled)]
    assert steps[0] == steps[1]
    assert len(steps[0]) == 6
    assert [event["status"] for log in (ran, recalled) for event in log if event["event"] == "step ended"] == [
        "ran", "ran", "recalled", "recalled",
    ]  # fmt: skip


def test_a_sweep_imports_structlog_when_a_step_runs(
    surroundings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    config.write_text(CONFIG + SWEEP)
    assert imports_structlog(surroundings, tmp_path, "sweep", str(config))
    ran = events(tmp_path / "build" / "b-sweep")
    assert not imports_structlog(surroundings, tmp_path, "sweep", str(config))
    recalled = events(tmp_path / "build" / "b-sweep")
    points = [[list(event) for event in log if event["event"] == "point ended"] for log in (ran, recalled)]
    assert points[0] == points[1]
    assert len(points[0]) == 2


def test_verbose_shows_a_line_for_each_event_and_each_line_of_a_step(cli: Any, config: Path) -> None:
    done = cli("run", str(config), "--verbose")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert "\x1b" not in done.stderr
    assert all("Z [" in line for line in lines)
    shown = [line.partition("] ")[2].split("  ")[0] for line in lines]
    assert [text for text in shown if text != "note"] == [
        "build started", "step started", "step ended", "step started", "ü is here", "step ended", "build ended",
    ]  # fmt: skip
    (printed,) = [line for line in lines if "ü is here" in line]
    assert "[debug" in printed
    assert printed.endswith("step=meet stream=stdout")


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_verbose_is_in_colour_on_a_terminal_unless_no_color_is_set(
    surroundings: dict[str, str], config: Path, variables: dict[str, str], coloured: bool
) -> None:
    environment = {name: value for name, value in surroundings.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    ours, theirs = pty.openpty()
    command = [BSKERNEL, "run", "--verbose", str(config)]
    kernel = subprocess.Popen(
        command, env=environment | variables, cwd=config.parent, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
        code = kernel.wait()
    assert code == 0, shown
    assert b"build ended" in shown
    assert (b"\x1b[" in shown) is coloured


def test_a_program_that_builds_keeps_its_own_configuration_of_structlog(
    surroundings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(config)]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == '{"a": 2, "b": 1, "event": "mine"}\n'
    assert done.stderr == ""
    log = events(tmp_path / "build" / "b")
    assert [event["event"] for event in log if event["event"] != "note"][-1] == "build ended"
    assert all(list(event)[-3:] == ["event", "level", "timestamp"] for event in log)
