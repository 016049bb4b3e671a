"""Compares the outputs of two builds, step by step in the order of the flow. Pure."""

from __future__ import annotations

import msgspec
from bskernel_protocol import Artifact

from bskernel.core.step_report import StepReport


class StepDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A step of which the second build made other bytes, or none."""

    step: str
    executor: str
    entry: str
    same_inputs: bool  # then the step itself made the difference
    outputs: tuple[str, ...]  # names
    failed: str | None = None  # why it failed in the second build


class ComparedSteps(msgspec.Struct, frozen=True, kw_only=True):
    """How many outputs were compared, and the steps that differ, in order."""

    outputs: int
    differing: tuple[StepDifference, ...]


def compare_outputs(published: tuple[StepReport, ...], second: tuple[StepReport, ...]) -> ComparedSteps:
    """Compare each output's digest. Steps are those of a build with their items, each after them."""
    there = {report.name: report for report in second}
    found, count = [], 0
    for report in published:
        mine = _digests(report)
        count += len(mine)
        other = there.get(report.name)
        its = _digests(other) if other is not None else {}
        names = [name for name in sorted({*mine, *its}) if mine.get(name) != its.get(name)]
        if names:
            failure = other.failure if other is not None else None
            found.append(
                StepDifference(
                    step=report.name,
                    executor=report.executor,
                    entry=report.entry,
                    same_inputs=other is not None and other.key == report.key,
                    outputs=tuple(names),
                    failed=failure.message if failure is not None else None,
                )
            )
    return ComparedSteps(outputs=count, differing=tuple(found))


def _digests(report: StepReport) -> dict[str, Artifact]:
    return {artifact.name: artifact for artifact in report.outputs}
