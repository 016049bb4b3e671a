"""A build's result as a notebook shows it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bskernel.core.notebook_html import heading, html_table, lines, paragraph
from bskernel.result.quantities import FoundQuantity, quantities_of, stage_rank

if TYPE_CHECKING:
    from bskernel.result.build_result import BuildResult

_LEFT_OUT = ("raw.", "utilization.")


def build_html(result: BuildResult) -> str:
    """How it ended, why it failed, its numbers at their latest stage, and where the rest is."""
    ended = Counter(step.status for step in result.steps)
    counts = ", ".join(f"{count} {status}" for status, count in ended.items())
    steps = counts.replace(" ", " step " if next(iter(ended.values()), 0) == 1 else " steps ", 1) or "no steps"
    parts = [heading(result.name, result.status, f"{steps}, {result.seconds:.2f} s")]
    if result.failure is not None:
        at = f"{result.failed_step}: " if result.failed_step else ""
        parts.append(paragraph(f"{at}{result.failure.message}"))
        parts += [paragraph(f"What to do: {result.failure.hint}")] if result.failure.hint else []
    if result.stopped_by is not None:
        parts.append(paragraph(result.stopped_by))
    parts.append(lines("warnings", result.warnings))
    rows = [(one.name, one.value, one.unit, one.stage) for one in _latest(result)]
    parts.append(html_table("", ("quantity", "value", "unit", "stage"), rows))
    parts.append(paragraph(f"in {result.directory}; `bskernel report` writes a page about it"))
    return "".join(parts)


def _latest(result: BuildResult) -> list[FoundQuantity]:
    newest: dict[str, FoundQuantity] = {}
    for item in quantities_of(result.metrics):
        before = newest.get(item.name)
        if not item.name.startswith(_LEFT_OUT) and (
            before is None or stage_rank(item.stage) > stage_rank(before.stage)
        ):
            newest[item.name] = item
    return list(newest.values())
