"""The points of a sweep as JUnit XML."""

from __future__ import annotations

from bskernel.report.junit import Case, Outcome, suite_as_junit
from bskernel.sweeps.analysis.table import Row, SweepTable

_OUTCOMES: dict[str, Outcome] = {"failed": "failure", "interrupted": "error", "stopped": "skipped"}


def sweep_as_junit(table: SweepTable) -> str:
    """A case per point; a point that violates a requirement is skipped, since the sweep wants that of it."""
    return suite_as_junit(f"bskernel sweep {table.name}", [_point(table.name, row) for row in table.rows])


def _point(sweep: str, row: Row) -> Case:
    settings = ", ".join(f"{key}={value}" for key, value in row.settings.items())
    return Case(
        group=f"points.{sweep}",
        name=f"{row.name} ({settings})" if settings else row.name,
        outcome=_OUTCOMES.get(row.status, "passed"),
        kind=row.status,
        message=row.reason or row.status,
        details=row.reason or row.status,
    )
