"""The end of a sweep as text."""

from __future__ import annotations

from bskernel.sweeps.result import SweepResult


def describe_effort(result: SweepResult) -> str:
    """How much was done, how much of it was shared, and where the results lie."""
    counts = result.counts
    told = (
        f"{counts.steps} steps, of which {counts.shared} were shared",
        f"{counts.actions} distinct actions",
        f"{counts.ran} ran, {counts.recalled} recalled",
        *([f"{counts.nodes_failed} failed"] if counts.nodes_failed else []),
        *([f"{counts.skipped} not begun"] if counts.skipped else []),
    )
    return f"{'; '.join(told)}; {result.seconds:.2f} s\nresults in {result.directory}"
