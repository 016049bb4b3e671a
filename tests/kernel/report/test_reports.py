"""What a build tells: log events, the bar on a terminal, lines in a file."""

import io
import json
from pathlib import Path

import msgspec
from bskernel.core.observers import SilentObserver
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import EndedStep, StepReport
from bskernel.report.log import Log
from bskernel.report.terminal import LineObserver, describe_result
from bskernel.result.build_result import BuildResult
from bskernel_protocol import Failure, OutputLine, Progress

STEP = Step(
    index=0, name="fold", executor=ExecutorRef(name="e", version="1", digest="d"), entry="fold", parameters={},
    inputs={}, outputs=(),
)  # fmt: skip
RAN = StepReport(name="fold", executor="e@1", entry="fold", status="ran", seconds=1.5, key="k")
FAILED = StepReport(
    name="fold",
    executor="e@1",
    entry="fold",
    status="failed",
    failure=Failure(category="transform", message="no [bold]"),
)


def tell(observer: SilentObserver) -> None:
    observer.note("runtime: process")
    observer.planned((STEP, STEP))
    observer.started(STEP)
    observer.event(STEP, Progress(directory="00-fold", text="layer [1]"))
    observer.event(STEP, OutputLine(directory="00-fold", stream="stdout", text="hello"))
    for report in (RAN, FAILED):
        observer.ended(STEP, EndedStep(report=report, action=None, inputs={}, log=b""))
    observer.over()


def test_the_log_file_is_one_json_object_per_line() -> None:
    file = io.StringIO()
    tell(Log.to_file(file))
    events = [json.loads(line) for line in file.getvalue().splitlines()]
    names = ["note", "build started", "step started", "step ended", "step failed", "build ended"]
    assert [event["event"] for event in events] == names
    assert events[3]["seconds"] == 1.5
    assert events[4] | {"level": "error", "category": "transform", "message": "no [bold]"} == events[4]
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_the_log_on_a_terminal_has_what_the_steps_print() -> None:
    stream = io.StringIO()
    tell(Log.to_terminal(stream))
    assert "hello" in stream.getvalue()


def test_lines_have_no_control_characters() -> None:
    stream = io.StringIO()
    tell(LineObserver(stream))
    assert stream.getvalue().splitlines()[1:] == [
        "  ran          1.50 s  fold  (e@1)",
        "  failed       0.00 s  fold  (e@1)",
    ]
    assert "\x1b" not in stream.getvalue()


def test_a_step_s_tables_are_shown_in_columns() -> None:
    table = {
        "title": "accuracy",
        "columns": ["stage", "top-1"],
        "rows": [["qonnx", "96.67 %"], ["rtlsim", "96.67 %"]],
    }
    step = msgspec.structs.replace(RAN, record={"tables": [table]})
    result = BuildResult(
        name="b", status="ok", runtime="none", directory=Path("out"), seconds=0.0, steps=(step,), artifacts={}
    )
    assert describe_result(result).splitlines()[1:5] == [
        "  accuracy",
        "    stage   top-1",
        "    qonnx   96.67 %",
        "    rtlsim  96.67 %",
    ]
