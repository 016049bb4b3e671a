"""Sweeps as their page shows them: one with points of every kind, and hostile texts in it."""

from typing import Any

from bskernel.sweeps.analysis.analysis import results_of
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.table import Row, SweepTable
from bskernel.sweeps.page.sweep_page import SweepRecord
from bskernel.sweeps.results.sweep_result import StepCounts

from support.page_records import HOSTILE
from support.sweep_tables import design, row, table

GOALS = Goals(maximize=("throughput",), minimize=("LUT",), require=("resources.LUT < 9000",))


def rows() -> tuple[Row, ...]:
    """Twelve points: two equal ones that are recommended, two more of the Pareto set, and others of each kind."""
    return (
        design("fast", 1000, 800, fps=4000, part="a"),
        design("good", 900, 300, fps=3000, part="a"),
        design("twin", 900, 300, fps=3000, part="b"),
        design("small", 100, 100, fps=100, part="b"),
        design("slow", 90, 310, fps=90, part="a"),
        design("slow-1", 90, 310, fps=91, part="a"),
        design("slow-2", 90, 310, fps=92, part="a"),
        design(HOSTILE, 80, 500, fps=80, part=HOSTILE),
        design("large", 2000, 10_000, fps=5000, part="b"),
        row("broken", status="failed", reason=f"fold: no such node {HOSTILE}", fps=6000, part="a"),
        row("broken-2", status="failed", reason=f"fold: no such node {HOSTILE}", fps=6000, part="b"),
        row("left", status="stopped", reason="utilization.LUT < 0.8 does not hold", fps=7000, part="b"),
    )


def full_sweep(goals: Goals = GOALS, sweep: SweepTable | None = None, **changes: Any) -> SweepRecord:
    """A sweep that ended."""
    found = sweep if sweep is not None else table(*rows())
    given: dict[str, Any] = {
        "sweep_sha256": "a" * 64,
        "status": "failed",
        "counts": StepCounts(points=12, ok=9, steps=40, shared=12, ran=20, recalled=8),
        "seconds": 12.5,
        "links": {"good": "points/good/report.html", "broken": "points/a b/report.html"},
        **changes,
    }
    return SweepRecord(results=results_of(found, goals), **given)
