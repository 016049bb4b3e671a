"""The end of a build for a person at a terminal: verdict, a box with the numbers, warnings, and what to do next."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bskernel.core.step_report import StepReport
from bskernel.core.visible_text import visible_line
from bskernel.report.colours import lines_of
from bskernel.report.human_units import humane, in_unicode, time_text
from bskernel.report.styled_text import Line, Span
from bskernel.report.terminal import aligned
from bskernel.report.text_width import cells, padded
from bskernel.result.build_result import BuildResult
from bskernel.result.failure_text import describe_failed

_NARROWEST = 24  # columns: in fewer there is no box
_WIDEST = 100
_CORNERS = ("\N{BOX DRAWINGS LIGHT ARC DOWN AND RIGHT}", "\N{BOX DRAWINGS LIGHT ARC DOWN AND LEFT}",
            "\N{BOX DRAWINGS LIGHT ARC UP AND RIGHT}", "\N{BOX DRAWINGS LIGHT ARC UP AND LEFT}",
            "\N{BOX DRAWINGS LIGHT HORIZONTAL}", "\N{BOX DRAWINGS LIGHT VERTICAL}")  # fmt: skip
_PLAIN = ("+", "+", "+", "+", "-", "|")


class BoxRow(msgspec.Struct, frozen=True, kw_only=True):
    """One result: its name, its value, and where it comes from."""

    label: str
    value: str
    note: str = ""


def draw_box(rows: Sequence[BoxRow], columns: int, *, unicode: bool = True) -> list[Line]:
    """Rows in a box that fits into so many columns; long texts are wrapped. A repeated label is shown once."""
    shown = [{name: visible_line(text) for name, text in msgspec.structs.asdict(row).items()} for row in rows]
    rows = [BoxRow(**texts) for texts in shown]
    if unicode:
        rows = [msgspec.structs.replace(row, value=in_unicode(row.value), note=in_unicode(row.note)) for row in rows]
    if not rows:
        return []
    framed = columns >= _NARROWEST
    room = max(10, min(columns, _WIDEST) - (4 if framed else 0))
    first = min(max(cells(row.label) for row in rows), max(6, room // 3))
    short = [cells(row.value) for row in rows if first + 4 + cells(row.value) + cells(row.note) <= room]
    second = max(short, default=0)  # the width of the values, but of those that have no room beside their note
    lines: list[Line] = []
    before = ""
    for row in rows:
        beside = cells(row.value) <= second and first + 4 + second + cells(row.note) <= room
        lines += _row_lines(row, "" if row.label == before else row.label, first, second if beside else None, room)
        before = row.label
    if not framed:
        return lines
    width = max(sum(cells(text) for text, _ in line) for line in lines)
    top_left, top_right, low_left, low_right, bar, side = _CORNERS if unicode else _PLAIN
    inside = [((f"{side} ", "faint"), *line, (_gap(line, width), ""), (f" {side}", "faint")) for line in lines]
    top, low = f"{top_left}{bar * (width + 2)}{top_right}", f"{low_left}{bar * (width + 2)}{low_right}"
    return [((top, "faint"),), *inside, ((low, "faint"),)]


def _row_lines(row: BoxRow, label: str, first: int, second: int | None, room: int) -> list[Line]:
    """A row as lines: label, value, and the note beside it or, without `second`, below it."""
    labels = _wrapped(label, first)
    left = max(4, room - first - 2)
    values = [row.value] if second is not None else _wrapped(row.value, left)
    notes = [] if second is not None else _wrapped(row.note, left) if row.note else []
    texts = [*((text, "strong") for text in values), *((text, "faint") for text in notes)]
    lines: list[Line] = []
    for at in range(max(len(labels), len(texts))):
        name = labels[at] if at < len(labels) else ""
        spans: list[Span] = [(padded(name, first + 2), "")]
        text, style = texts[at] if at < len(texts) else ("", "")
        spans.append((padded(text, second + 2) if second is not None and row.note else text, style))
        if at == 0 and second is not None and row.note:
            spans.append((row.note, "faint"))
        lines.append(tuple(spans))
    return lines


def _gap(line: Line, width: int) -> str:
    return " " * (width - sum(cells(text) for text, _ in line))


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most so many cells; words that are longer are cut."""
    wide = cells(text) > len(text)  # such characters take two cells, which textwrap does not know
    return textwrap.wrap(text, max(1, width // 2 if wide else width)) or [""]


def result_rows(steps: Sequence[StepReport]) -> tuple[list[BoxRow], list[str]]:
    """The rows of the box, and the warnings, which executors offer as rows of that label."""
    rows, warnings = [], []
    for step in steps:
        # Executors offer `summary` rows; the kernel shows them without knowing what they mean.
        for row in step.record.get("summary", ()):
            label, value, note = (str(row.get(name) or "") for name in ("label", "value", "note"))
            if label == "warning":
                warnings.append(f"{value} [{note}]" if note else value)
            else:
                rows.append(BoxRow(label=label, value=humane(value), note=humane(note)))
    return rows, warnings


def executors_text(steps: Sequence[StepReport]) -> str:
    """Each executor once, with the number of its steps: finn-step@finn-plus-1.6.1 (17 steps), metrics@1.0.0 (1)."""
    counts = Counter(step.executor for step in steps if step.status != "skipped").most_common()
    texts = [f"{name} ({count})" for name, count in counts]
    if counts:
        name, count = counts[0]
        texts[0] = f"{name} ({count} step{'s' if count > 1 else ''})"
    return ", ".join(texts)


def short_path(path: Path, here: Path) -> str:
    """The path relative to the working folder, if it is below it."""
    return str(path.relative_to(here)) if path.is_relative_to(here) and path != here else str(path)


def summary_lines(result: BuildResult, columns: int, here: Path, *, unicode: bool = True) -> list[Line]:
    """The end of a build in so many columns. The last line is the command that makes its page."""
    counts = Counter(step.status for step in result.steps)
    counted = f"{counts['ran']} steps ran, {counts['recalled']} recalled"
    verdict = f"{result.name}: {result.status}, {counted}, {time_text(result.seconds)}"
    rows, warnings = result_rows(result.parts)
    lines = lines_of(in_unicode(verdict) if unicode else verdict)
    made = textwrap.wrap(f"by {executors_text(result.steps)}", max(20, columns - 2), subsequent_indent="  ")
    lines += [((text, "faint"),) for text in made] if counts["ran"] or counts["recalled"] else []
    lines += draw_box(rows, columns, unicode=unicode)
    for step in result.parts:
        for table in step.record.get("tables", ()):
            cells_shown = [[visible_line(humane(cell)) for cell in row] for row in (table["columns"], *table["rows"])]
            lines.append(((visible_line(table["title"]), "strong"),))
            head, *rest = aligned(cells_shown)
            lines += [((f"  {head}", "faint"),), *(((f"  {line}", ""),) for line in rest)]
    # A warning that a step also offers as a row is told once.
    told = dict.fromkeys([*result.warnings, *warnings])
    lines += [((f"warning: {visible_line(text)}", "warning"),) for text in told]
    if result.failure is not None:
        lines += lines_of(describe_failed(result))
    where = short_path(result.directory, here)
    lines.append((("results  ", "faint"), (where, "")))
    lines.append((("page     ", "faint"), (f"bskernel report {shlex.quote(where)} --open", "")))
    return lines
