"""What a board shows of a build at one moment, as lines that fit. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bskernel.report.human_units import time_text
from bskernel.report.styled_text import Line, Span
from bskernel.report.text_width import cells, cut, padded

_ROWS = 8  # running steps that are shown at most
_NARROW = 60  # columns: in fewer there are no texts of steps
_BAR = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"
_GIB = 1024**2  # in KiB


class ShownStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that runs; times in seconds."""

    name: str
    elapsed: float
    expected: float | None = None  # how long it took last time
    peak_mib: int | None = None  # what its largest process took then
    text: str = ""  # what it reported or printed last


class MemoryState(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's memory in KiB."""

    free: int
    total: int


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A build that runs; times in seconds."""

    done: int
    total: int
    elapsed: float
    failed: int = 0
    running: tuple[ShownStep, ...] = ()  # the longest first
    left: float | None = None  # until the end; None if a step is left that never ran
    memory: MemoryState | None = None
    facts: tuple[tuple[str, str], ...] = ()  # what ended steps offered, as label and value; the most important first


def frame(moment: Moment, columns: int, height: int, *, unicode: bool = True) -> list[Line]:
    """The lines of a board, none longer than `columns` cells; at most half of the `height`, and at least one."""
    room = max(1, height // 2)
    lines: list[Line] = [_totals(moment, columns, unicode=unicode)]
    facts = _facts(moment.facts, columns)
    facts = facts[: max(0, min(2, room - 2))]
    rows = max(0, min(_ROWS, room - 1 - len(facts)))
    shown = moment.running[:rows]
    more = len(moment.running) - len(shown)
    if more and rows:
        shown = shown[:-1]
        more += 1
    lines += _steps(shown, columns)
    if more and rows:
        lines.append(((cut(f"  and {more} more", columns), "faint"),))
    return [_fitted(line, columns) for line in (*lines, *facts)]


def _fitted(line: Line, columns: int) -> Line:
    """The line without what goes beyond the last column."""
    spans: list[Span] = []
    for text, style in line:
        spans.append((cut(text, columns), style))
        columns -= cells(spans[-1][0])
    return tuple(spans)


def _totals(moment: Moment, columns: int, *, unicode: bool) -> Line:
    done = min(moment.done, moment.total)
    counts = f"{done}/{moment.total} steps  {clock_text(moment.elapsed)}"
    parts = [f"about {time_text(round(moment.left))} left"] if moment.left is not None and moment.left >= 1 else []
    if moment.failed:
        parts.insert(0, f"{moment.failed} failed")
    if moment.memory is not None:
        parts.append(f"{moment.memory.free / _GIB:.1f} of {moment.memory.total / _GIB:.1f} GiB free")
    width = max(0, min(24, columns - cells(counts) - 2))
    filled = width * done // max(1, moment.total)
    bar, rest = (_BAR, _BAR) if unicode else ("#", "-")
    line: list[Span] = [(bar * filled, "good"), (rest * (width - filled), "faint")] if width >= 4 else []
    used = width + 1 if line else 0
    line.append((cut(f" {counts}" if line else counts, columns - used + 1), ""))
    used = sum(cells(text) for text, _ in line)
    for text in parts:
        if used + 2 + cells(text) <= columns:
            line.append((f"  {text}", "bad" if text.endswith(" failed") else "faint"))
            used += 2 + cells(text)
    return tuple(line)


def _steps(steps: Sequence[ShownStep], columns: int) -> list[Line]:
    times = [_time(step) for step in steps]
    memory = [f"peak {step.peak_mib:,} MiB" if step.peak_mib is not None else "" for step in steps]
    timed, kept = max(map(cells, times), default=0), max(map(cells, memory), default=0)
    named = min(max((cells(step.name) for step in steps), default=0), max(8, columns // 3))
    lines: list[Line] = []
    if columns < _NARROW:
        named = max(4, columns - timed - 4)
        for step, time in zip(steps, times, strict=True):
            name = padded(cut(step.name, named), named)
            lines.append((("  ", ""), (cut(f"{name}  {' ' * (timed - cells(time))}{time}", columns - 2), "")))
        return lines
    for step, time, most in zip(steps, times, memory, strict=True):
        start = f"  {padded(cut(step.name, named), named)}  {' ' * (timed - cells(time))}{time}"
        spans: list[Span] = [(start, "")]
        if kept:
            spans.append((f"  {padded(most, kept)}", "faint"))
        room = columns - sum(cells(text) for text, _ in spans) - 2
        if step.text and room >= 8:
            spans.append((f"  {cut(step.text, room)}", "faint"))
        lines.append(tuple(spans))
    return lines


def _time(step: ShownStep) -> str:
    if step.expected is None or step.expected < 1:
        return clock_text(step.elapsed)
    return f"{clock_text(step.elapsed)} of {clock_text(step.expected)}"


def _facts(facts: Sequence[tuple[str, str]], columns: int) -> list[Line]:
    """What is known already, in as many lines as it takes; what is too long for one is left out."""
    lines: list[list[Span]] = []
    used = columns
    for label, value in facts:
        width = cells(label) + cells(value) + 1
        if width + 2 > columns:
            continue
        if used + 3 + width > columns:
            lines.append([])
            used = 0
        lines[-1] += [(f"{'  ' if not used else '   '}{label} ", "faint"), (value, "strong")]
        used += (3 if used else 2) + width
    return [tuple(line) for line in lines]


def clock_text(seconds: float) -> str:
    """A time that changes every second: 12 s, 2:05, 1:12:00."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds_left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds_left:02d}" if hours else f"{minutes}:{seconds_left:02d}"
