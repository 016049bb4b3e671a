"""A build on a terminal: a line for each step that ran, and below them a board of those that run."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

import msgspec
from bskernel_protocol import Event, OutputLine, Progress

from bskernel.core.metrics_form import METRICS
from bskernel.core.observers import SilentObserver
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep, StepReport
from bskernel.core.visible_text import visible, visible_line
from bskernel.host.memory import read_memory
from bskernel.host.thread import Thread
from bskernel.report.board_frame import MemoryState, Moment, ShownStep, frame
from bskernel.report.colours import lines_of, wants_colours
from bskernel.report.human_units import humane, in_unicode
from bskernel.report.live_region import LiveRegion
from bskernel.report.step_durations import StepDuration, StepDurations
from bskernel.report.styled_text import Line, render_line
from bskernel.report.terminal import has_line

EVERY_S = 0.25  # between two drawings
_QUICK_S = 0.5  # a build that only recalls, and ends before, has no board
_NAMED = 3  # recalled steps that are named in their line
_FACTS = 12
STYLES = {"ran": "ran", "recalled": "faint", "failed": "bad", "interrupted": "bad", "skipped": "faint"}


class _Run(msgspec.Struct):
    """A running step as the board follows it."""

    step: Step
    began: float
    expected: StepDuration | None = None
    progress: str = ""
    printed: str = ""


class LiveBoard(SilentObserver):
    """The live display. Needs a terminal that can move its cursor.

    Events change values; a thread draws them, `EVERY_S` seconds apart at least, however many events there are.
    """

    def __init__(
        self, times: StepDurations | None = None, stream: TextIO | None = None, *, every_s: float = EVERY_S
    ) -> None:
        self._stream = stream or sys.stderr
        self._region = LiveRegion(self._stream)
        self._coloured = wants_colours(self._stream)
        self._times = times
        self._every_s = every_s
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._began = time.monotonic()
        self._lines: list[Line] = []  # that are not printed yet
        self._running: dict[str, _Run] = {}  # a step's label -> what is known of it
        self._waiting: dict[str, Step] = {}  # planned steps that have not started
        self._total = self._done = self._failed = 0
        self._recalled: list[str] = []  # names that no line has told yet
        self._told = False  # True when a step has a line
        self._versions: dict[str, set[str]] = {}
        self._facts: dict[str, str] = {}
        self._continued: Callable[[], None] = lambda: None
        self.drawings = 0  # how often the board was drawn

    def note(self, text: str) -> None:
        """Print a line above the board."""
        self._print(*lines_of(visible(text)))

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins, or a sweep's next batch."""
        with self._lock:
            if not self._total:
                self._began = time.monotonic()
            self._total += len(steps)
            self._waiting |= {step.label: step for step in steps}
            for step in steps:
                self._versions.setdefault(step.executor.name, set()).add(step.executor.version)

    def started(self, step: Step) -> None:
        """A step begins: maybe it is recalled, which may take long where the store is far."""
        if time.monotonic() - self._began > _QUICK_S:
            self._start()

    def running(self, step: Step) -> None:
        """A worker runs the step."""
        expected = self._times.expected(step) if self._times is not None else None
        with self._lock:
            self._waiting.pop(step.label, None)
            self._running[step.label] = _Run(step=step, began=time.monotonic(), expected=expected)
        self._start()

    def event(self, step: Step, event: Event) -> None:
        """The step reported or printed something."""
        run = self._running.get(step.label)
        if run is None:
            return
        if isinstance(event, Progress):
            run.progress, run.printed = event.text, ""
        elif isinstance(event, OutputLine):
            run.printed = event.text

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended: print its line."""
        report = ended.report
        with self._lock:
            self._running.pop(step.label, None)
            self._waiting.pop(step.label, None)
            if step.item_of is None:
                self._done += 1
                self._failed += report.failure is not None
            self._learn_facts(report)
        if self._times is not None and report.status == "ran" and not report.items:
            self._times.ran(step, report)
        self._print(*self._ended_lines(step, report))

    def over(self) -> None:
        """Remove the board."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._told:
            self._print(*self._recalled_line())
        if self._thread is not None:
            self._draw(last=True)
            self._thread = None
            self._continued()
        if self._times is not None:
            self._times.save()

    def _ended_lines(self, step: Step, report: StepReport) -> list[Line]:
        if not has_line(step, report):
            return []
        if report.status == "recalled" and not report.items:
            self._recalled.append(step.name)
            return []
        self._told = True
        return [*self._recalled_line(), ended_line(step, report, self._version(step))]

    def _version(self, step: Step) -> str:
        """The step's executor where the plan has several versions of it."""
        return str(step.executor) if len(self._versions.get(step.executor.name, ())) > 1 else ""

    def _recalled_line(self) -> list[Line]:
        names, self._recalled = self._recalled, []
        if not names:
            return []
        text = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} steps, {names[0]} to {names[-1]}"
        return [((f"  {'recalled':<9}            {visible_line(text)}", "faint"),)]

    def _learn_facts(self, report: StepReport) -> None:
        """What a step offers for the summary; numbers of metrics come before all others."""
        rows = [row for row in report.record.get("summary", ()) if row.get("label") != "warning"]
        found = {_fact(row.get("label")): _fact(row.get("value")) for row in rows}
        if any(output.name == METRICS for output in report.outputs):
            self._facts = found | {label: value for label, value in self._facts.items() if label not in found}
        else:
            self._facts |= found

    def _print(self, *lines: Line) -> None:
        """Print lines with the next drawing; at once where there is none."""
        if not lines:
            return
        with self._lock:
            self._lines += lines
        if self._thread is None:
            self._region.paint(self._take(), ())

    def _take(self) -> list[str]:
        with self._lock:
            lines, self._lines = self._lines, []
        return [render_line(line, coloured=self._coloured) for line in lines]

    def _start(self) -> None:
        if self._thread is not None or self._over.is_set():
            return
        with contextlib.suppress(ValueError):  # not the main thread
            before = signal.signal(signal.SIGCONT, self._on_continue)

            def put_back() -> None:
                signal.signal(signal.SIGCONT, before or signal.SIG_DFL)

            self._continued = put_back
        self._thread = Thread(target=self._repeat, name="board", daemon=True)
        self._thread.start()

    def _on_continue(self, *_: Any) -> None:
        self._region.forget()

    def _repeat(self) -> None:
        self._draw()
        while not self._over.wait(self._every_s) and not self._region.lost:
            if self._region.in_foreground:
                self._draw()
            else:
                # In a shell's background: lines are printed as they come, and nothing of the shell's is erased.
                self._region.forget()
                if lines := self._take():
                    self._region.paint(lines, ())

    def _draw(self, *, last: bool = False) -> None:
        columns, height = self._region.size
        lines = [] if last else frame(self._moment(), columns - 1, height)
        self._region.paint(self._take(), [render_line(line, coloured=self._coloured) for line in lines])
        self.drawings += 1

    def _moment(self) -> Moment:
        now = time.monotonic()
        with self._lock:
            runs = sorted(self._running.values(), key=lambda run: run.began)
            running = tuple(_shown(run, now) for run in runs)
            return Moment(
                done=self._done,
                total=self._total,
                elapsed=now - self._began,
                failed=self._failed,
                running=running,
                left=self._left(running),
                memory=_memory(),
                facts=tuple(self._facts.items())[:_FACTS],
            )

    def _left(self, running: tuple[ShownStep, ...]) -> float | None:
        """Seconds that the rest takes if nothing of it is recalled and as many steps run at once as do now."""
        if self._times is None or not running:
            return None
        rest = [self._times.expected(step) for step in self._waiting.values()]
        if any(time is None for time in rest) or any(step.expected is None for step in running):
            return None
        present = [max(0.0, (step.expected or 0.0) - step.elapsed) for step in running]
        return max(max(present), (sum(present) + sum(time.seconds for time in rest if time)) / len(running))


def _fact(text: object) -> str:
    return visible_line(in_unicode(humane(str(text))))


def _shown(run: _Run, now: float) -> ShownStep:
    expected = run.expected
    return ShownStep(
        name=visible_line(run.step.name),
        elapsed=now - run.began,
        expected=None if expected is None else expected.seconds,
        peak_mib=None if expected is None else expected.peak_mib,
        text=visible_line((run.printed or run.progress).strip()),
    )


def ended_line(step: Step, report: StepReport, executor: str = "") -> Line:
    """How a step ended, in one line: its status, time and memory before its name."""
    time_shown = f"{report.seconds:7.2f} s" if report.status != "recalled" else ""
    memory = f"{report.peak_mib:,} MiB" if report.peak_mib is not None and not report.items else ""
    more = "".join(f"  {text}" for text in (f"({executor})" if executor else "", report.items_text) if text)
    style = STYLES[report.status]
    rest = f" {time_shown:>9}  {memory:>10}  {visible_line(step.name)}{visible_line(more)}"
    return ((f"  {report.status:<9}", style), (rest, style if style == "bad" else ""))


def _memory() -> MemoryState | None:
    found = read_memory()
    return MemoryState(free=found.available, total=found.total) if found is not None else None
