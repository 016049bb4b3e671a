"""The log of a build: its lines as they are on disk, by either way of writing them, and as a terminal shows them."""

import datetime as dt
import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import structlog
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import EndedStep, StepReport
from bskernel.report.log import Log
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.report.observers import SweepLog
from bskernel_protocol import Failure, OutputLine, Progress
from hypothesis import given
from hypothesis import strategies as st

STEP = Step(
    index=0, name="fold", executor=ExecutorRef(name="e", version="1", digest="d"), entry="fold", parameters={},
    inputs={}, outputs=(),
)  # fmt: skip
RAN = StepReport(name="fold", executor="e@1", entry="fold", status="ran", seconds=1.5, key="k")
NOON = dt.datetime(2025, 3, 1, 12, 30, 15, 250, tzinfo=dt.UTC)
# What bskernel wrote before structlog did: readers of log.jsonl rely on these keys and their order.
LINES = r"""
{"text":"runtime: process","event":"note","level":"info","timestamp":"2025-03-01T12:30:15.000250Z"}
{"steps":2,"event":"build started","level":"info","timestamp":"2025-03-01T12:30:15.000250Z"}
{"step":"fold","executor":"e@1","digest":"d","event":"step started","level":"info","timestamp":"2025-03-01T12:30:15.000250Z"}
{"step":"fold","status":"ran","seconds":1.5,"key":"k","event":"step ended","level":"info","timestamp":"2025-03-01T12:30:15.000250Z"}
{"step":"fold","status":"failed","seconds":0.0,"key":null,"category":"transform","message":"no\n\"ü\"","event":"step failed","level":"error","timestamp":"2025-03-01T12:30:15.000250Z"}
{"event":"build ended","level":"info","timestamp":"2025-03-01T12:30:15.000250Z"}
"""  # noqa: E501 - lines as they are on disk
POINTS = r"""
{"step":"00-fold","executor":"e@1","digest":"d","event":"step started","level":"info","timestamp":"2025-03-01T12:30:15.000250Z"}
{"point":"p-1","done":1,"of":2,"status":"ok","reason":null,"target.target_fps":50000,"step.a.parameters.x":[1,2.5],"event":"point ended","level":"info","timestamp":"2025-03-01T12:30:15.000250Z"}
{"point":"p-2","done":2,"of":2,"status":"failed","reason":"late","build.fast":true,"event":"point ended","level":"error","timestamp":"2025-03-01T12:30:15.000250Z"}
"""  # noqa: E501 - lines as they are on disk


@contextmanager
def clock_at(moment: dt.datetime) -> Iterator[None]:
    class Stopped(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return moment.astimezone(tz)

    with patch.object(dt, "datetime", Stopped):
        yield


def failed(message: str) -> StepReport:
    failure = Failure(category="transform", message=message)
    return StepReport(name="fold", executor="e@1", entry="fold", status="failed", failure=failure)


def end(log: Log, report: StepReport) -> None:
    log.ended(STEP, EndedStep(report=report, action=None, inputs={}, log=b""))


def build(log: Log, *, runs: bool) -> None:
    log.note("runtime: process")
    log.planned((STEP, STEP))
    log.started(STEP)
    if runs:
        log.running(STEP)
    log.event(STEP, Progress(directory="00-fold", text="layer [1]"))
    log.event(STEP, OutputLine(directory="00-fold", stream="stdout", text="hello"))
    end(log, RAN)
    end(log, failed('no\n"ü"'))
    log.over()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("runs", [False, True])
def test_the_lines_of_a_build_s_log_stay_as_they_are(runs: bool) -> None:
    file = io.StringIO()
    with clock_at(NOON):
        build(Log.to_file(file), runs=runs)
    assert file.getvalue() == LINES.lstrip("\n")


@pytest.mark.parametrize("runs", [False, True])
def test_the_lines_of_a_sweep_s_log_stay_as_they_are(runs: bool) -> None:
    file = io.StringIO()
    with clock_at(NOON):
        log = SweepLog.to_file(file)
        log.started(STEP)
        if runs:
            log.running(STEP)
        settings = {"target.target_fps": 50000, "step.a.parameters.x": [1, 2.5]}
        log.point(Row(name="p-1", settings=settings, status="ok"), 1, 2)
        log.point(Row(name="p-2", settings={"build.fast": True}, status="failed", reason="late"), 2, 2)
    assert file.getvalue() == POINTS.lstrip("\n")


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
KEYS = st.text(min_size=1).map(lambda text: f"step.{text}")  # of a sweep's points: always dotted


@given(
    text=st.text(),
    settings=st.dictionaries(KEYS, VALUES, max_size=3),
    key=st.none() | st.text(),
    moment=st.datetimes(timezones=st.just(dt.UTC)),
)
def test_both_ways_of_writing_a_log_give_the_same_bytes(
    text: str, settings: dict[str, Any], key: str | None, moment: dt.datetime
) -> None:
    report = StepReport(name=text, executor=text, entry="fold", status="ran", seconds=0.25, key=key)

    def written(*, runs: bool) -> bytes:
        file = io.StringIO()
        log = SweepLog.to_file(file)
        if runs:
            log.running(STEP)
        with clock_at(moment):
            log.note(text)
            end(log, report)
            end(log, failed(text))
            log.point(Row(name=text, settings=settings, status="stopped", reason=key), 1, 1)
        return file.getvalue().encode()

    assert written(runs=False) == written(runs=True)
    assert written(runs=True).count(b"\n") == 4


def test_a_line_is_in_the_file_at_once_before_and_after_a_step_runs(tmp_path: Any) -> None:
    path = tmp_path / "log.jsonl"
    with path.open("w", encoding="utf-8", buffering=1) as file:
        log = Log.to_file(file)
        log.note("one")
        assert path.read_text().count("\n") == 1
        log.running(STEP)
        log.running(STEP)
        log.note("two")
        assert path.read_text().count("\n") == 2


def test_a_terminal_shows_each_event_in_a_line_and_nothing_that_is_absent() -> None:
    stream = io.StringIO()
    with clock_at(NOON):
        build(Log.to_terminal(stream), runs=True)
    head = "2025-03-01T12:30:15.000250Z"
    assert [re.sub(" +", " ", line) for line in stream.getvalue().splitlines()] == [
        f"{head} [info ] note text='runtime: process'",
        f"{head} [info ] build started steps=2",
        f"{head} [info ] step started step=fold executor=e@1 digest=d",
        f"{head} [debug ] hello step=fold stream=stdout",
        f"{head} [info ] step ended step=fold status=ran seconds=1.5 key=k",
        f"{head} [error ] step failed step=fold status=failed seconds=0.0 category=transform message='no\\n\"ü\"'",
        f"{head} [info ] build ended",
    ]


@given(text=st.text(), key=st.text())
def test_an_event_never_takes_two_lines_of_a_terminal(text: str, key: str) -> None:
    stream = Terminal()
    log = SweepLog.to_terminal(stream)
    log.note(text)
    log.event(STEP, OutputLine(directory="d", stream="stderr", text=text))
    end(log, failed(text))
    log.point(Row(name=text, settings={f"step.{key}": [text]}, status="ok", reason=text), 1, 1)
    assert stream.getvalue().count("\n") == 4
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize(
    ("stream", "variables", "coloured"),
    [
        (Terminal, {}, True),
        (Terminal, {"NO_COLOR": ""}, True),
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.StringIO, {}, False),
        (io.StringIO, {"FORCE_COLOR": ""}, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, True),
    ],
)
def test_colours_are_for_terminals_and_those_who_want_them(
    stream: Callable[[], io.StringIO],
    variables: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    shown = stream()
    build(Log.to_terminal(shown), runs=False)
    assert ("\x1b[" in shown.getvalue()) is coloured


class Slow(io.StringIO):
    """Takes what it is given in two parts, and lets other threads come between."""

    def write(self, text: str) -> int:
        half = len(text) // 2
        for part in (text[:half], text[half:]):
            super().write(part)
            time.sleep(0.0005)
        return len(text)


@pytest.mark.parametrize("make", [Log.to_file, Log.to_terminal])
def test_threads_do_not_cut_one_another_s_lines(make: Callable[[io.StringIO], Log]) -> None:
    def log_to(stream: io.StringIO) -> Log:
        log = make(stream)
        log.running(STEP)
        return log

    def write(log: Log, number: int) -> None:
        for _ in range(10):
            log.note(f"thread {number}")

    alone, shared = io.StringIO(), Slow()
    with clock_at(NOON):
        threads = [threading.Thread(target=write, args=(log_to(shared), number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(4):
            write(log_to(alone), number)
    assert sorted(shared.getvalue().splitlines()) == alone.getvalue().splitlines()


def test_a_program_s_own_configuration_neither_changes_nor_is_changed() -> None:
    heard: list[Any] = []

    def drop(_: Any, __: str, event: Any) -> Any:
        heard.append(event)
        raise structlog.DropEvent

    structlog.configure(processors=[drop], wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        before = structlog.get_config()
        file, stream = io.StringIO(), io.StringIO()
        with clock_at(NOON), structlog.contextvars.bound_contextvars(request=7):
            build(Log.to_file(file), runs=True)
            build(Log.to_terminal(stream), runs=True)
        assert structlog.get_config() == before
        assert file.getvalue() == LINES.lstrip("\n")
        assert len(stream.getvalue().splitlines()) == 7
        assert heard == []
        structlog.get_logger().critical("mine", a=1)
        assert heard == [{"a": 1, "event": "mine"}]
    finally:
        structlog.reset_defaults()


def test_structlog_is_configured_by_nobody_and_imported_when_a_step_runs() -> None:
    script = """
import io, sys
from bskernel.core.step import ExecutorRef, Step
from bskernel.report.log import Log
step = Step(index=0, name="s", executor=ExecutorRef(name="e", version="1", digest="d"), entry="s", parameters={},
    inputs={}, outputs=())
log = Log.to_file(io.StringIO())
log.note("a")
log.started(step)
log.over()
print("structlog" in sys.modules, "logging" in sys.modules)
log.running(step)
print("structlog" in sys.modules, sys.modules["structlog"].is_configured())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "False"]
