"""The board of a build: what it shows, that it fits, how often it is drawn, and what it leaves."""

import io
import threading
from pathlib import Path
from typing import Any

import pyte
import pytest
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import EndedStep, StepReport
from bskernel.report.board import LiveBoard
from bskernel.report.board_frame import MemoryState, Moment, ShownStep, clock_text, frame
from bskernel.report.live_region import LiveRegion
from bskernel.report.step_durations import STEP_DURATIONS, StepDuration, StepDurations
from bskernel.report.styled_text import Line
from bskernel.report.text_width import cells
from bskernel_protocol import Artifact, Digest, Failure, OutputLine, Progress


def make_step(name: str, index: int = 0, version: str = "1") -> Step:
    executor = ExecutorRef(name="testing", version=version, digest="0" * 64)
    return Step(index=index, name=name, executor=executor, entry=name, parameters={}, inputs={}, outputs=())


def end(step: Step, status: Any = "ran", **fields: Any) -> EndedStep:
    report = StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status=status, **fields)
    return EndedStep(report=report, action=None, inputs={}, log=b"")


def shown(stream: io.StringIO, columns: int = 80, lines: int = 40) -> list[str]:
    screen = pyte.Screen(columns, lines)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(stream.getvalue())
    assert not screen.cursor.hidden
    return [line.rstrip() for line in screen.display if line.strip()]


def plain(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


MOMENT = Moment(
    done=13, total=22, elapsed=41.3, failed=1, left=130.0,
    memory=MemoryState(free=8 * 1024**2, total=16 * 1024**2),
    running=(
        ShownStep(name="compile", elapsed=12.4, expected=40.2, peak_mib=512, text="Vbskernel_top__3.cpp " * 9),
        *(ShownStep(name=f"synthesize_layer_{at}_層", elapsed=at, text="層" * 60) for at in range(30)),
    ),
    facts=(("throughput", "195k frames/s"), ("LUT", "15,234"), ("word", "x" * 300)),
)  # fmt: skip


@pytest.mark.parametrize("columns", [1, 4, 10, 20, 39, 40, 59, 60, 79, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 5, 10, 24, 100])
def test_a_board_is_never_wider_than_the_terminal_nor_higher_than_half_of_it(columns: int, height: int) -> None:
    lines = plain(frame(MOMENT, columns, height))
    assert 1 <= len(lines) <= max(1, height // 2)
    assert max(map(cells, lines)) <= columns


def test_a_board_shows_totals_elapsed_expected_memory_texts_and_what_is_known() -> None:
    lines = plain(frame(MOMENT, 120, 24))
    assert "13/22 steps  41 s  1 failed  about 2 min 10 s left  8.0 of 16.0 GiB free" in lines[0]
    assert lines[1].startswith("  compile")
    assert "12 s of 40 s  peak 512 MiB  Vbskernel_top__3.cpp" in lines[1]
    assert any("and 24 more" in line for line in lines)
    assert lines[-1] == "  throughput 195k frames/s   LUT 15,234"


def test_forty_columns_have_the_names_and_times() -> None:
    lines = plain(frame(MOMENT, 40, 24))
    assert "13/22 steps  41 s" in lines[0]
    assert lines[1].split() == ["compile", "12", "s", "of", "40", "s"]


def test_clocks_grow() -> None:
    assert [clock_text(s) for s in (0.9, 59.9, 65, 3600 * 2 + 61)] == ["0 s", "59 s", "1:05", "2:01:01"]


def test_a_build_that_only_recalls_draws_nothing_and_starts_no_thread() -> None:
    stream = io.StringIO()
    board = LiveBoard(stream=stream, every_s=0.001)
    steps = tuple(make_step(f"s{at}", at) for at in range(5))
    board.planned(steps)
    for step in steps:
        board.started(step)
        board.ended(step, end(step, "recalled"))
    board.over()
    assert stream.getvalue() == ""
    assert board.drawings == 0


def test_a_board_leaves_a_line_for_each_step_that_ran_and_nothing_of_itself() -> None:
    stream = io.StringIO()
    board = LiveBoard(stream=stream, every_s=0.001)
    steps = [make_step(name, at) for at, name in enumerate(("a", "b", "c", "d", "e", "fold", "cut"))]
    board.note("runtime: process")
    board.planned(tuple(steps))
    for step in steps[:5]:
        board.started(step)
        board.ended(step, end(step, "recalled"))
    board.running(steps[5])
    board.event(steps[5], Progress(directory="d", text="layer [1] \x1b[31m"))
    board.event(steps[5], OutputLine(directory="d", stream="stdout", text="line 7 of a tool"))
    drawn = board.drawings
    while board.drawings < drawn + 3:
        threading.Event().wait(0.001)
    board.ended(steps[5], end(steps[5], seconds=1.5, peak_mib=1234))
    board.running(steps[6])
    failure = Failure(category="transform", message="no [bold]")
    board.ended(steps[6], end(steps[6], "failed", failure=failure))
    board.over()
    assert "line 7 of a tool" in stream.getvalue()
    assert "\x1b[31m" not in stream.getvalue()
    assert shown(stream) == [
        "runtime: process",
        "  recalled             5 steps, a to e",
        "  ran          1.50 s   1,234 MiB  fold",
        "  failed       0.00 s              cut",
    ]
    assert not any(thread.name == "board" for thread in threading.enumerate())


def test_many_events_are_drawn_no_more_often_than_few() -> None:
    board = LiveBoard(stream=io.StringIO(), every_s=3600)
    step = make_step("loud")
    board.planned((step,))
    board.running(step)
    for at in range(20_000):
        board.event(step, OutputLine(directory="d", stream="stdout", text=f"line {at}"))
    for at in range(2000):
        board.note(f"note {at}")
    board.over()
    assert board.drawings <= 2  # the first and the last


def test_two_versions_of_an_executor_are_told_apart_and_one_is_not() -> None:
    def lines_of(*versions: str) -> list[str]:
        stream = io.StringIO()
        board = LiveBoard(stream=stream, every_s=0.001)
        steps = tuple(make_step(f"s{at}", at, version) for at, version in enumerate(versions))
        board.planned(steps)
        for step in steps:
            board.running(step)
            board.ended(step, end(step))
        board.over()
        return shown(stream)

    assert not any("testing" in line for line in lines_of("1", "1"))
    assert [line.split("(")[1] for line in lines_of("1", "2")] == ["testing@1)", "testing@2)"]


def test_numbers_of_metrics_are_known_as_soon_as_their_step_has_ended() -> None:
    stream = io.StringIO()
    board = LiveBoard(stream=stream, every_s=0.001)
    steps = [make_step(name, at) for at, name in enumerate(("fold", "metrics", "compile"))]
    board.planned(tuple(steps))
    rows = {"summary": [{"label": "folding", "value": "fast"}, {"label": "warning", "value": "x", "note": ""}]}
    board.running(steps[0])
    board.ended(steps[0], end(steps[0], record=rows))
    rows = {"summary": [{"label": "throughput", "value": "195,312.5 inferences/s", "note": "estimate"}]}
    made = Artifact(name="metrics", kind="file", media_type="", digest=Digest(sha256="0" * 64, size=1))
    board.running(steps[1])
    board.ended(steps[1], end(steps[1], record=rows, outputs=(made,)))
    board.running(steps[2])
    drawn = board.drawings
    while board.drawings < drawn + 3:
        threading.Event().wait(0.001)
    assert "throughput 195k frames/s   folding fast" in stream.getvalue()
    assert "warning" not in stream.getvalue()
    board.over()


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_is_gone_ends_the_drawing_and_not_the_build() -> None:
    board = LiveBoard(stream=Gone(), every_s=0.001)
    step = make_step("fold")
    board.note("hello")
    board.planned((step,))
    board.running(step)
    board.ended(step, end(step))
    board.over()


def test_a_region_that_became_narrower_erases_no_line_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, size = io.StringIO(), [80]
    monkeypatch.setattr(LiveRegion, "size", property(lambda _: (size[0], 24)))
    region = LiveRegion(stream)
    region.paint(["a line that stays"], ["one", "two"])
    size[0] = 60
    region.paint(["another"], ["three"])
    region.paint([], ["four"])
    assert shown(stream)[:1] == ["a line that stays"]
    assert shown(stream)[-2:] == ["another", "four"]


def test_what_steps_took_is_expected_of_them_next_time(tmp_path: Path) -> None:
    step, other = make_step("fold"), make_step("cut")
    times = StepDurations(tmp_path, "net")
    assert times.expected(step) is None
    times.ran(step, end(step, seconds=12.5, peak_mib=300).report)
    times.save()
    assert StepDurations(tmp_path, "net").expected(step) == StepDuration(12.5, 300)
    assert StepDurations(tmp_path, "another").expected(step) == StepDuration(12.5, 300)  # by its entry
    assert StepDurations(tmp_path, "net").expected(other) is None
    assert [path.name for path in tmp_path.iterdir()] == [STEP_DURATIONS]


def test_builds_that_end_at_the_same_time_keep_each_other_s_times(tmp_path: Path) -> None:
    one, two = StepDurations(tmp_path, "one"), StepDurations(tmp_path, "two")
    one.ran(make_step("a"), end(make_step("a"), seconds=1).report)
    two.ran(make_step("b"), end(make_step("b"), seconds=2).report)
    one.save()
    two.save()
    assert StepDurations(tmp_path, "one").expected(make_step("a")) == StepDuration(1.0)
    assert StepDurations(tmp_path, "two").expected(make_step("b")) == StepDuration(2.0)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": [-1, null]}', b"\xff", b"[" * 100_000])
def test_a_damaged_file_of_times_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / STEP_DURATIONS).write_bytes(data)
    assert StepDurations(tmp_path, "net").expected(make_step("a")) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    times = StepDurations(tmp_path / "none", "net")
    times.ran(make_step("a"), end(make_step("a"), seconds=1).report)
    times.save()
