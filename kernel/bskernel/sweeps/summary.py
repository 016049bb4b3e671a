"""The end of a sweep as text, and as JSON."""

from __future__ import annotations

from bskernel_protocol import pretty_json

from bskernel.report.terminal import aligned
from bskernel.sweeps.result import SweepResult
from bskernel.sweeps.table import Row, SweepTable

MANY = 20  # points that a terminal is shown


def sweep_json(result: SweepResult) -> str:
    """All of it."""
    return pretty_json(result)


def describe_sweep(result: SweepResult) -> str:
    """How many points came to what, the first of them, how much of it was shared, and where it lies."""
    counts = result.counts
    told = {name: getattr(counts, name) for name in ("ok", "stopped", "failed", "interrupted")}
    points = ", ".join(f"{number} {name}" for name, number in told.items() if number) or "none"
    lines = [f"{result.table.name}: {counts.points} points: {points}, {result.seconds:.2f} s"]
    lines.append(
        f"  {counts.steps} steps, of which {counts.shared} were shared: {counts.actions} distinct actions, "
        f"{counts.ran} ran, {counts.recalled} recalled"
        + (f", {counts.nodes_failed} failed" if counts.nodes_failed else "")
        + (f", {counts.skipped} not begun" if counts.skipped else "")
    )
    lines += [f"  {line}" for line in aligned(_rows(result.table))]
    if len(result.table.rows) > MANY:
        lines.append(f"  and {len(result.table.rows) - MANY} more")
    lines.append(f"  results in {result.directory}")
    return "\n".join(lines)


def _rows(table: SweepTable) -> list[list[str]]:
    head = ["point", "status", *table.keys]
    return [head, *(_cells(row, table.keys) for row in table.rows[:MANY])]


def _cells(row: Row, keys: tuple[str, ...]) -> list[str]:
    settings = [str(row.settings[key]) if key in row.settings else "" for key in keys]
    return [row.name, row.status, *settings, *([row.reason] if row.reason else [])]
