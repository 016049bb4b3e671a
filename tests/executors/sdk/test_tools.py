"""Tools run as programs of their own."""

import sys
from pathlib import Path

import pytest
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.tools import run_tool


def run(code: str, folder: Path) -> None:
    run_tool([sys.executable, "-c", code], cwd=folder, env={}, failed="it cannot be done")


def test_the_first_error_line_is_the_message(tmp_path: Path) -> None:
    with pytest.raises(StepFailure, match="it cannot be done: Error: first") as caught:
        run("print('fine'); print('Error: first'); print('error: second'); raise SystemExit(3)", tmp_path)
    assert caught.value.failure.cause == ("Error: first", "error: second")


def test_a_tool_that_fails_without_a_word_points_to_the_log(tmp_path: Path) -> None:
    with pytest.raises(StepFailure, match="it cannot be done: see the log"):
        run("raise SystemExit(1)", tmp_path)


def test_what_a_tool_says_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("print('an error that is none')", tmp_path)
    assert "an error that is none" in capsys.readouterr().out
