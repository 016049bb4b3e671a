"""What a build prints where nothing shows its progress, and how its numbers and colours look."""

import io
import threading
from typing import Any

import pytest
from bskernel.core.step import ExecutorRef, Step
from bskernel.report.colours import paint, wants_colours
from bskernel.report.heartbeat import HeartbeatObserver, describe_running
from bskernel.report.significant_digits import rounded
from bskernel.report.terminal import LineObserver, WarningObserver
from bskernel_protocol import Progress


def make_step(name: str) -> Any:
    executor = ExecutorRef(name="testing", version="1", digest="0" * 64)
    return Step(index=0, name=name, executor=executor, entry="double", parameters={}, inputs={}, outputs=())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_running_step_is_named_with_its_time_and_last_progress_until_it_ends() -> None:
    said: list[str] = []
    beat = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        beat.set()

    heartbeat = HeartbeatObserver(say, every_s=0.01)
    step = make_step("compile")
    heartbeat.running(step)
    heartbeat.event(step, Progress(directory="d", text="file 3 of 10"))
    beat.clear()
    assert beat.wait(60)
    heartbeat.ended(step, None)  # type: ignore[arg-type]
    heartbeat.over()
    count = len(said)
    assert any("compile (0 s): file 3 of 10" in text for text in said)
    assert len(said) == count  # over is over
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())


def test_a_heartbeat_of_a_build_that_only_recalls_is_silent_and_starts_no_thread() -> None:
    heartbeat = HeartbeatObserver(pytest.fail, every_s=0.001)
    heartbeat.started(make_step("recalled"))
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
    heartbeat.over()


def test_many_running_steps_are_counted() -> None:
    running = {str(at): (f"s{at}", 100.0 + at, "") for at in range(5)}
    assert describe_running(running, 130.4) == "  still running        s0 (30 s); s1 (29 s); s2 (28 s); and 2 more"


def test_a_step_that_runs_has_a_line_when_it_starts() -> None:
    stream = io.StringIO()
    LineObserver(stream).running(make_step("compile"))
    assert stream.getvalue().split() == ["started", "compile", "(testing@1)"]


def test_a_quiet_observer_says_each_warning_once_and_nothing_else() -> None:
    stream = io.StringIO()
    observer = WarningObserver(stream)
    for text in ("making an environment", "warning: slow", "warning: slow"):
        observer.note(text)
    observer.running(make_step("compile"))
    assert stream.getvalue() == "warning: slow\n"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("1,577.905 us", "1,578 us"),
        ("1,356.336806 inferences/s", "1,356 inferences/s"),
        ("11.84 us", "11.84 us"),
        ("0.00123456", "0.001235"),
        ("98.76543 %", "98.77 %"),
        ("740 (0.32% of the device)", "740 (0.32% of the device)"),
        ("123,456 LUT", "123,456 LUT"),
        ("1.6.1", "1.6.1"),
        ("finn-plus-1.61234", "finn-plus-1.61234"),
        ("1.23456e-05", "1.23456e-05"),
    ],
)
def test_fractions_keep_four_digits_and_counts_all(text: str, short: str) -> None:
    assert rounded(text) == short


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "", "TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"CLICOLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "0"}, True),
    ],
)
def test_a_terminal_has_colours_unless_a_variable_says_no(variables: dict[str, str], coloured: bool) -> None:
    assert wants_colours(Terminal(), variables) is coloured


def test_elsewhere_there_are_colours_on_demand_alone() -> None:
    assert not wants_colours(io.StringIO(), {})
    assert wants_colours(io.StringIO(), {"CLICOLOR_FORCE": "1"})


def test_warnings_and_endings_are_coloured_and_names_that_look_like_them_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = "warning: a\n  warning            b\nwarnings.txt\nnet: ok, 3 steps ran, 0 recalled, 1.00 s"
    lines = paint(text, Terminal()).split("\n")
    assert [line.startswith("\x1b[") for line in lines] == [True, True, False, True]
    assert paint(text, io.StringIO()) == text
