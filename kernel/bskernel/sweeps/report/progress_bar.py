"""A sweep on a terminal: one line per point, and below them a bar with the running steps."""

from __future__ import annotations

from rich.text import Text

from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.report.progress import STYLES, ProgressBar
from bskernel.report.terminal import step_line
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.report.observers import point_line

_STYLES = {"ok": "green", "stopped": "yellow", "failed": "bold red", "interrupted": "bold red"}


class SweepBar(ProgressBar):
    """The live display. Needs a terminal that can move its cursor."""

    def _line(self, step: Step, ended: EndedStep) -> Text | None:
        report = ended.report
        return Text(step_line(step, report), style=STYLES[report.status]) if report.failure is not None else None

    def point(self, row: Row, done: int, total: int) -> None:
        """Print the point's line."""
        self.line(Text(point_line(row, done, total), style=_STYLES[row.status]))
