"""How steps end."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from bskernel_protocol import Artifact, Digest, Failure

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
    why: tuple[str, ...] = ()  # why it ran and was not recalled; empty if it was, or did not start
    peak_mib: int | None = None  # the largest resident size of its processes
    items: tuple[StepReport, ...] = ()  # of a step with `each`: how its different items ended
    equal_items: tuple[str, ...] = ()  # of such an item: the names of those that have the same content

    @property
    def failed_item(self) -> StepReport | None:
        """The item because of which the step failed."""
        return next((item for item in self.items if item.failure is not None), None)

    @property
    def items_text(self) -> str:
        """How many items there were and what became of the different ones; empty for other steps."""
        if not self.items:
            return ""
        count = sum(1 + len(item.equal_items) for item in self.items)
        different = f", {len(self.items)} different" if len(self.items) != count else ""
        ended = [
            f"{number} {status}"
            for status in ("ran", "recalled", "failed", "interrupted")
            if (number := sum(item.status == status for item in self.items))
        ]
        memory = f"; at most {self.peak_mib} MiB" if self.peak_mib is not None else ""
        return f"{count} item{'s' if count > 1 else ''}{different}: {', '.join(ended)}{memory}"

    @property
    def parts(self) -> tuple[StepReport, ...]:
        """Its items, and itself."""
        return (*self.items, self)


class EndedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that has ended. Without an action, its inputs could not be resolved."""

    report: StepReport
    action: Action | None
    inputs: dict[str, Artifact]
    log: bytes
    items: tuple[EndedItem, ...] = ()  # of a step with `each`: its different items that have ended


class EndedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a step, and how it ended."""

    step: Step
    ended: EndedStep  # its log is empty if the store has it
    log: Digest | None = None  # its digest in the store


def skipped(step: Step) -> StepReport:
    """The report of a step that did not start."""
    return StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status="skipped")
