"""A sweep on a terminal: a line for each point, and below them a board of the steps that run."""

from __future__ import annotations

from bskernel.core.step import Step
from bskernel.core.step_report import StepReport
from bskernel.core.visible_text import visible_line
from bskernel.report.board import LiveBoard, ended_line
from bskernel.report.styled_text import Line
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.report.observers import point_line

_STYLES = {"ok": "ran", "stopped": "warning", "failed": "bad", "interrupted": "bad"}


class SweepBoard(LiveBoard):
    """The live display. Needs a terminal that can move its cursor."""

    def _ended_lines(self, step: Step, report: StepReport) -> list[Line]:
        return [ended_line(step, report)] if report.failure is not None else []

    def _learn_facts(self, report: StepReport) -> None:
        """Numbers belong to points, and each point has its line."""

    def point(self, row: Row, done: int, total: int) -> None:
        """Print the point's line."""
        self._print(((visible_line(point_line(row, done, total)), _STYLES[row.status]),))
