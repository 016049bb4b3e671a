"""A build as text: one line per step, then its numbers or its failure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from bskernel_protocol import Event

from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep, StepReport
from bskernel.core.visible_text import visible, visible_line
from bskernel.result.build_result import BuildResult
from bskernel.result.failure_text import describe_failed


class SilentObserver:
    """Ignores every event."""

    def note(self, text: str) -> None:
        """A remark about the build."""

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def running(self, step: Step) -> None:
        """A worker runs the step."""

    def event(self, step: Step, event: Event) -> None:
        """The step sent an event."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""

    def over(self) -> None:
        """The build has ended."""


def step_line(step: Step, report: StepReport) -> str:
    """How a step ended, in one line."""
    time = f"{report.seconds:7.2f} s" if report.status != "recalled" else "        "
    return f"  {report.status:<9} {time}  {step.name}  ({step.executor})"


class LineObserver(SilentObserver):
    """Prints one line per ended step, for files and CI."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def note(self, text: str) -> None:
        """Print a line."""
        self._stream.write(f"{visible(text)}\n")
        self._stream.flush()

    def ended(self, step: Step, ended: EndedStep) -> None:
        """Print the step's line."""
        self.note(step_line(step, ended.report))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns; the first row is the header."""
    widths = [max(len(row[at]) for row in rows if at < len(row)) for at in range(max(map(len, rows)))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]


def describe_result(result: BuildResult) -> str:
    """The result of a build as text: summary rows, tables, the failure if there is one, and the output folder."""
    ran = sum(step.status == "ran" for step in result.steps)
    recalled = sum(step.status == "recalled" for step in result.steps)
    lines = [f"{result.name}: {result.status}, {ran} steps ran, {recalled} recalled, {result.seconds:.2f} s"]
    lines += [f"  {'warning':<18} {text}" for text in result.warnings]
    for step in result.steps:
        # Executors offer `summary` rows and `tables`; the kernel shows them without knowing what they mean.
        for row in step.record.get("summary", ()):
            note = f"  [{row['note']}]" if row.get("note") else ""
            lines.append(visible_line(f"  {row['label']:<18} {row['value']}{note}"))
        for table in step.record.get("tables", ()):
            rows = [[visible_line(cell) for cell in row] for row in (table["columns"], *table["rows"])]
            lines += [f"  {visible_line(table['title'])}", *(f"    {line}" for line in aligned(rows))]
    if result.failure is not None:
        lines.append(describe_failed(result))
    lines.append(f"  results in {result.directory}")
    return "\n".join(lines)
