"""What becomes of steps, and who hears of it."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec
from bskernel_protocol import Artifact, Event, Failure

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


class Observer(Protocol):
    """Hears of a build while it goes on: of several steps in turn when they run at once, always in one thread."""

    def note(self, text: str) -> None:
        """Something beside the steps, such as which runtime is used and why."""

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def event(self, step: Step, event: Event) -> None:
        """The step's executor says something."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step is over."""

    def over(self) -> None:
        """The build is over, however it ended."""


def skipped(step: Step) -> StepReport:
    """The report of a step that did not begin."""
    return StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status="skipped")
