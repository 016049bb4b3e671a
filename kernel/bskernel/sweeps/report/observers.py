"""Observers of a sweep: a log, lines, or a bar."""

from __future__ import annotations

from typing import Protocol

from bskernel.core.observers import CompositeObserver, Observer, SilentObserver
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.report.heartbeat import HeartbeatObserver
from bskernel.report.log import Log
from bskernel.report.terminal import LineObserver, WarningObserver, step_line
from bskernel.sweeps.analysis.table import Row, settings_text


class SweepObserver(Observer, Protocol):
    """Follows a sweep: each distinct step once, and each point. A step's label identifies it."""

    def point(self, row: Row, done: int, total: int) -> None:
        """A point has ended, the `done`th of `total`."""


class SilentSweep(SilentObserver):
    """Ignores every event."""

    def point(self, row: Row, done: int, total: int) -> None:
        """A point has ended."""


class SweepLog(Log):
    """The log of a build, with its points."""

    def _name(self, step: Step) -> str:
        return step.label

    def point(self, row: Row, done: int, total: int) -> None:
        """What became of a point."""
        values = {"point": row.name, "done": done, "of": total, "status": row.status, "reason": row.reason}
        self._write("error" if row.status == "failed" else "info", "point ended", values | row.settings)


class SweepLines(LineObserver):
    """A line for each step that ran, and one for each point: for files and CI."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """The step's one line, unless it was recalled."""
        if ended.report.status != "recalled":
            self.note(step_line(step, ended.report))

    def point(self, row: Row, done: int, total: int) -> None:
        """Print the point's line."""
        self.note(point_line(row, done, total))


class SweepWarnings(WarningObserver):
    """Warnings, and points that failed: what --quiet leaves."""

    def point(self, row: Row, done: int, total: int) -> None:
        """Print the line of a point that failed."""
        if row.status == "failed":
            super(WarningObserver, self).note(point_line(row, done, total))


class SweepHeartbeat(HeartbeatObserver):
    """Says which steps run."""

    def point(self, row: Row, done: int, total: int) -> None:
        """A point has ended."""


class CompositeSweepObserver(CompositeObserver):
    """Passes every call to several others."""

    def __init__(self, observers: tuple[SweepObserver, ...]) -> None:
        super().__init__(observers)
        self._all = observers

    def point(self, row: Row, done: int, total: int) -> None:
        """A point has ended."""
        for observer in self._all:
            observer.point(row, done, total)


def point_line(row: Row, done: int, total: int) -> str:
    """How a point ended, in one line."""
    reason = f": {row.reason}" if row.reason else ""
    return f"point {row.name} {row.status} ({done} of {total})  {settings_text(row.settings)}{reason}"
