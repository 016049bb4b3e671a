"""What a sweep comes to, and the files that say it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from bskernel_protocol import pretty_json

from bskernel.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_OK, EXIT_STEP_FAILED
from bskernel.sweeps.columns import as_csv
from bskernel.sweeps.kept import SWEEP
from bskernel.sweeps.outcome import Goals
from bskernel.sweeps.table import Row, SweepTable

CSV = "sweep.csv"


class Counts(msgspec.Struct, frozen=True, kw_only=True):
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


class SweepResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a sweep, as sweep.json holds it beside what was wanted."""

    table: SweepTable
    counts: Counts
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


def write_result(result: SweepResult, goals: Goals) -> None:
    """sweep.json, whole or not at all, and the table alone as sweep.csv.

    Directories of points are told from the sweep's, so that all can be moved.
    """
    rows = tuple(_below(row, result.directory) for row in result.table.rows)
    told = {name: getattr(result, name) for name in ("status", "counts", "failures", "runtime", "seconds")}
    told |= {"table": msgspec.structs.replace(result.table, rows=rows), "goals": goals}
    new = result.directory / f".{SWEEP}.new"
    new.write_text(pretty_json(told), encoding="utf-8")
    new.replace(result.directory / SWEEP)
    (result.directory / CSV).write_text(as_csv(result.table), encoding="utf-8", newline="")


def _below(row: Row, folder: Path) -> Row:
    if row.directory is None:
        return row
    return msgspec.structs.replace(row, directory=row.directory.relative_to(folder))
