"""Compares the steps of two builds: executors, keys, and the changed parts of a key."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from bskernel_protocol import Artifact

from bskernel.core.action import Action, differences

StepStatus: TypeAlias = Literal["same", "changed", "added", "removed", "unknown"]


class FinishedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a finished or failed build; `action` is None when it is missing or does not match `key`."""

    name: str
    executor: str
    status: str
    key: str | None = None
    outputs: tuple[Artifact, ...] = ()
    action: Action | None = None


class UsedExecutor(msgspec.Struct, frozen=True, kw_only=True):
    """NAME@VERSION, and the digest of its content, if recorded."""

    name: str
    digest: str | None


class StepComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One step compared."""

    name: str
    status: StepStatus
    base_executor: UsedExecutor | None
    new_executor: UsedExecutor | None
    changes: tuple[str, ...] = ()  # changes of the key, in words; for an unknown step, the reason
    outputs: tuple[str, ...] = ()  # names of outputs whose bytes differ

    @property
    def same(self) -> bool:
        """True when neither the key nor an output differs."""
        return self.status == "same" and not self.outputs

    @property
    def same_executor(self) -> bool:
        """True when name, version and, if both are recorded, digest are equal."""
        base, new = self.base_executor, self.new_executor
        if base is None or new is None or base.name != new.name:
            return False
        return base.digest == new.digest or None in {base.digest, new.digest}


def _used(step: FinishedStep | None) -> UsedExecutor | None:
    if step is None:
        return None
    return UsedExecutor(name=step.executor, digest=step.action.executor_digest if step.action else None)


def _status(base: FinishedStep, new: FinishedStep) -> tuple[StepStatus, tuple[str, ...]]:
    for side, step in (("A", base), ("B", new)):
        if step.key is None:
            return "unknown", (f"it was {step.status} in {side}",)
    if base.key == new.key:
        return "same", ()
    if base.action is None or new.action is None:
        sides = " and ".join(side for side, step in (("A", base), ("B", new)) if step.action is None)
        return "changed", (f"unknown which part of the key: its action is not recorded in {sides}",)
    return "changed", differences(base.action, new.action)


def _different_outputs(base: FinishedStep, new: FinishedStep) -> tuple[str, ...]:
    made = [{output.name: output.digest for output in step.outputs} for step in (base, new)]
    return tuple(name for name in sorted(made[0].keys() | made[1].keys()) if made[0].get(name) != made[1].get(name))


def compare_steps(base: tuple[FinishedStep, ...], new: tuple[FinishedStep, ...]) -> tuple[StepComparison, ...]:
    """Steps by name: those of the new build in order, then those that only the base has."""
    before, after = {step.name: step for step in base}, {step.name: step for step in new}
    compared = []
    for name in [*after, *(name for name in before if name not in after)]:
        was, is_ = before.get(name), after.get(name)
        status: StepStatus = "added" if was is None else "removed"
        changes: tuple[str, ...] = ()
        outputs: tuple[str, ...] = ()
        if was is not None and is_ is not None:
            status, changes = _status(was, is_)
            outputs = _different_outputs(was, is_)
        compared.append(
            StepComparison(
                name=name,
                status=status,
                base_executor=_used(was),
                new_executor=_used(is_),
                changes=changes,
                outputs=outputs,
            )
        )
    return tuple(compared)
