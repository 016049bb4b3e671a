"""A sweep that is over: what became of its points, and how much of it was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

import msgspec

from bskernel.core.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_OK, EXIT_STEP_FAILED
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.table import Row, SweepTable


class StepCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many points came to what, and how many steps that was."""

    points: int = 0
    ok: int = 0
    stopped: int = 0
    failed: int = 0
    interrupted: int = 0
    steps: int = 0  # of all points
    nodes: int = 0  # distinct ones, as far as could be told before they ran
    shared: int = 0  # steps that were another point's too, and so no node of their own
    actions: int = 0  # distinct keys of what ran or was recalled
    ran: int = 0  # nodes
    recalled: int = 0
    nodes_failed: int = 0
    skipped: int = 0  # nodes that were not begun

    @classmethod
    def of(cls, rows: Iterable[Row], ended: Mapping[str, int], *, steps: int, nodes: int, actions: int) -> Self:
        """`ended` says how many nodes ended in which status."""
        points = Counter(row.status for row in rows)
        begun = sum(ended.get(status, 0) for status in ("ran", "recalled", "failed", "interrupted"))
        return cls(
            points=points.total(),
            ok=points["ok"],
            stopped=points["stopped"],
            failed=points["failed"],
            interrupted=points["interrupted"],
            steps=steps,
            nodes=nodes,
            shared=steps - nodes,
            actions=actions,
            ran=ended.get("ran", 0),
            recalled=ended.get("recalled", 0),
            nodes_failed=ended.get("failed", 0),
            skipped=max(0, nodes - begun),
        )


class SweepResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a sweep, as sweep.json holds it."""

    table: SweepTable
    goals: Goals  # what its [sweep] wants of points; `bskernel.results` judges them by it
    counts: StepCounts
    status: Literal["ok", "failed", "interrupted"]  # ok also where points were stopped
    directory: Path
    runtime: str  # "none" when every step was recalled
    seconds: float
    failures: dict[str, int] = {}  # category -> points that failed of it

    @property
    def exit_code(self) -> int:
        """Of the command that made it."""
        if self.status == "interrupted":
            return EXIT_INTERRUPTED
        if not self.failures:
            return EXIT_OK
        return EXIT_ENVIRONMENT if self.failures.keys() == {"environment"} else EXIT_STEP_FAILED
