"""A build as text: one line per step, then its numbers or its failure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from bskernel.core.observers import SilentObserver
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep, StepReport
from bskernel.core.visible_text import visible, visible_line
from bskernel.report.colours import paint
from bskernel.report.significant_digits import rounded
from bskernel.result.build_result import BuildResult
from bskernel.result.failure_text import describe_failed


def step_line(step: Step, report: StepReport) -> str:
    """How a step ended, in one line."""
    time = f"{report.seconds:7.2f} s" if report.status != "recalled" else "        "
    items = f"  {report.items_text}" if report.items else ""
    return f"  {report.status:<9} {time}  {step.name}  ({step.executor}){items}"


def has_line(step: Step, report: StepReport) -> bool:
    """A recalled item has no line of its own: its step's says how many there were."""
    return step.item_of is None or report.status != "recalled"


class LineObserver(SilentObserver):
    """Prints a line when a step starts, unless it is recalled, and one when it has ended: for files and CI."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def note(self, text: str) -> None:
        """Print a line."""
        self._stream.write(f"{paint(visible(text), self._stream)}\n")
        self._stream.flush()

    def running(self, step: Step) -> None:
        """Print that the step starts."""
        self.note(f"  {'started':<20} {step.name}  ({step.executor})")

    def ended(self, step: Step, ended: EndedStep) -> None:
        """Print the step's line."""
        if has_line(step, ended.report):
            self.note(step_line(step, ended.report))


class WarningObserver(LineObserver):
    """Prints warnings alone, each once, as --quiet wants it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._said: set[str] = set()

    def note(self, text: str) -> None:
        """Print a warning."""
        if text.startswith("warning: ") and text not in self._said:
            self._said.add(text)
            super().note(text)

    def running(self, step: Step) -> None:
        """A worker runs the step."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns; the first row is the header."""
    widths = [max(len(row[at]) for row in rows if at < len(row)) for at in range(max(map(len, rows)))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]


def describe_outcome(result: BuildResult) -> str:
    """What --quiet leaves of a result: the failure if there is one, and the build directory."""
    return "\n".join([*([describe_failed(result)] if result.failure is not None else []), str(result.directory)])


def describe_result(result: BuildResult) -> str:
    """The result of a build as text: summary rows, tables, the failure if there is one, and the build directory."""
    ran = sum(step.status == "ran" for step in result.steps)
    recalled = sum(step.status == "recalled" for step in result.steps)
    lines = [f"{result.name}: {result.status}, {ran} steps ran, {recalled} recalled, {result.seconds:.2f} s"]
    lines += [f"  {'warning':<18} {text}" for text in result.warnings]
    for step in result.parts:
        # Executors offer `summary` rows and `tables`; the kernel shows them without knowing what they mean.
        for row in step.record.get("summary", ()):
            note = f"  [{row['note']}]" if row.get("note") else ""
            lines.append(visible_line(f"  {row['label']:<18} {rounded(str(row['value']))}{note}"))
        for table in step.record.get("tables", ()):
            rows = [[visible_line(cell) for cell in row] for row in (table["columns"], *table["rows"])]
            lines += [f"  {visible_line(table['title'])}", *(f"    {line}" for line in aligned(rows))]
    if result.failure is not None:
        lines.append(describe_failed(result))
    lines.append(f"  results in {result.directory}")
    return "\n".join(lines)
