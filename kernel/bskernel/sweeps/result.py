"""What a sweep comes to, and sweep.json, which says it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_protocol import pretty_json

from bskernel.config import SweepSection
from bskernel.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_OK, EXIT_STEP_FAILED
from bskernel.sweeps.table import Row, SweepTable

SWEEP = "sweep.json"


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


def write_sweep(result: SweepResult, section: SweepSection) -> None:
    """sweep.json, whole or not at all; directories of points are told from there, so that all can be moved."""
    folder = result.directory
    rows = tuple(_below(row, folder) for row in result.table.rows)
    goals = {name: _texts(getattr(section, name)) for name in ("maximize", "minimize", "require")}
    told: dict[str, Any] = {
        "table": msgspec.structs.replace(result.table, rows=rows),
        "goals": goals,
        "status": result.status,
        "counts": result.counts,
        "failures": result.failures,
        "runtime": result.runtime,
        "seconds": result.seconds,
    }
    text = pretty_json(told)
    with contextlib.suppress(OSError):
        if (folder / SWEEP).read_text(encoding="utf-8") == text:
            return
    new = folder / f".{SWEEP}.new"
    new.write_text(text, encoding="utf-8")
    new.replace(folder / SWEEP)


def _below(row: Row, folder: Path) -> Row:
    if row.directory is None:
        return row
    return msgspec.structs.replace(row, directory=row.directory.relative_to(folder))


def _texts(one_or_more: str | tuple[str, ...]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else one_or_more
