"""The result of a sweep: its table, goals, status and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

import msgspec

from bskernel.core.errors import EXIT_ENVIRONMENT, EXIT_GATE, EXIT_INTERRUPTED, EXIT_OK, EXIT_STEP_FAILED
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.repetitions import Repetition
from bskernel.sweeps.analysis.table import Row, SweepTable


class StepCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many points and steps ended in which way."""

    points: int = 0
    ok: int = 0
    stopped: int = 0
    failed: int = 0
    interrupted: int = 0
    steps: int = 0  # of all points
    nodes: int = 0  # distinct steps, as far as known before running
    shared: int = 0  # steps that share the node of another point
    actions: int = 0  # distinct keys that ran or were recalled
    ran: int = 0  # nodes
    recalled: int = 0
    nodes_failed: int = 0
    skipped: int = 0  # nodes that did not start

    @classmethod
    def of(cls, rows: Iterable[Row], ended: Mapping[str, int], *, steps: int, nodes: int, actions: int) -> Self:
        """`ended` maps a status to its number of nodes."""
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
    """The result of a sweep, as in sweep.json."""

    table: SweepTable
    goals: Goals  # the goals of [sweep], used by `bskernel.results`
    counts: StepCounts
    status: Literal["ok", "failed", "interrupted"]  # ok also if points were stopped
    directory: Path
    runtime: str  # "none" when every step was recalled
    seconds: float
    failures: dict[str, int] = {}  # category -> number of failed points
    repetitions: tuple[Repetition, ...] = ()  # of [sweep] repeat, one for each point that began

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self.status == "interrupted":
            return EXIT_INTERRUPTED
        if not self.failures:
            return EXIT_OK if all(one.ended == "met" for one in self.repetitions) else EXIT_GATE
        return EXIT_ENVIRONMENT if self.failures.keys() == {"environment"} else EXIT_STEP_FAILED

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from bskernel.core.errors import BskernelError
        from bskernel.sweeps.analysis.analysis import results_of
        from bskernel.sweeps.analysis.sweep_html import results_html

        counts = self.counts
        rest = f"{counts.points} points: {counts.ok} ok, {counts.stopped} stopped, {counts.failed} failed"
        rest += f"; {counts.ran} steps ran, {counts.recalled} recalled, {self.seconds:.2f} s; in {self.directory}"
        try:
            results = results_of(self.table, self.goals)
        except BskernelError:  # an objective that no point has: `bskernel.results` says so
            results = results_of(self.table, Goals())
        return results_html(results, self.status, rest)
