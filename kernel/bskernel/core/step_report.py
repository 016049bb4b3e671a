"""What becomes of steps, and who hears of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.core.action import Action
from bskernel.core.step import Step

Status = Literal["ran", "recalled", "skipped", "failed", "interrupted"]


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one step."""

    name: str
    executor: str
    entry: str
    status: Status
    seconds: float = 0.0
    key: str | None = None
    outputs: tuple[Artifact, ...] = ()
    record: dict[str, Any] = {}
    failure: Failure | None = None
    partial: tuple[str, ...] = ()  # run after a failure: which inputs are older than they should be, or missing
    peak_mib: int | None = None  # what the largest of its processes held when it ran


class EndedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a step was and what became of it; without an action, its inputs could not be found."""

    report: StepReport
    action: Action | None
    inputs: dict[str, Artifact]
    log: bytes


def skipped(step: Step) -> StepReport:
    """The report of a step that did not begin."""
    return StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status="skipped")
