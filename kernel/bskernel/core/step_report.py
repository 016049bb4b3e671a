"""How steps end."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.core.action import Action
from bskernel.core.step import Step

Status = Literal["ran", "recalled", "skipped", "failed", "interrupted"]


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one step ended."""

    name: str
    executor: str
    entry: str
    status: Status
    seconds: float = 0.0
    key: str | None = None
    outputs: tuple[Artifact, ...] = ()
    record: dict[str, Any] = {}
    failure: Failure | None = None
    partial: tuple[str, ...] = ()  # after a failure: which inputs are outdated or missing
    peak_mib: int | None = None  # the largest resident size of its processes


class EndedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that has ended. Without an action, its inputs could not be resolved."""

    report: StepReport
    action: Action | None
    inputs: dict[str, Artifact]
    log: bytes


def skipped(step: Step) -> StepReport:
    """The report of a step that did not start."""
    return StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status="skipped")
