"""An action is everything that may change a step's result; its digest is the key of the cache."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
from bskernel_protocol import PROTOCOL_VERSION, Artifact, Digest, canonical_bytes, digest_of_bytes

from bskernel.core.step import Step


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="action", dict=True):
    """The cache key's content. A step's name, time limit and memory limit are not in it.

    Limits decide whether a step ends, not what it makes, and what did not end is never remembered.
    """

    protocol: int  # another protocol may hand over the same inputs differently
    executor: str  # name@version: for people who read a key; implied by the digest
    executor_digest: str  # lock, edits, environment and code of the executor
    entry: str  # what is done
    parameters: dict[str, Any]  # how it is done: only those that the entry declares
    inputs: dict[str, Digest]  # to what: by content, never by path or time
    salt: str  # lets a user ask for a fresh build without deleting anything
    # which tools were mounted: by what they are, never by where they lie; left out where there are none
    tools: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    @cached_property
    def key(self) -> Digest:
        """The digest of the canonical bytes."""
        return digest_of_bytes(canonical_bytes(self))


class ActionResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="action-result"):
    """What an action made. Only successes are remembered; times and hosts belong to the build, not here."""

    outputs: tuple[Artifact, ...]
    record: dict[str, Any] = {}
    log: Digest | None = None  # the log of the run that made it

    def output(self, name: str) -> Artifact | None:
        """The output of that name, if it was made."""
        return next((artifact for artifact in self.outputs if artifact.name == name), None)


def action_of(step: Step, inputs: dict[str, Artifact], salt: str = "") -> Action:
    """The action that a step is, once its inputs are known."""
    return Action(
        protocol=PROTOCOL_VERSION,
        executor=str(step.executor),
        executor_digest=step.executor.digest,
        entry=step.entry,
        parameters=step.parameters,
        inputs={name: artifact.digest for name, artifact in inputs.items()},
        salt=salt,
        tools={install.tool: install.identity for install in step.executor.tools} or msgspec.UNSET,
    )


def differences(before: Action, now: Action) -> tuple[str, ...]:
    """Which fields of the key changed, in words."""
    changes = []
    for field in ("protocol", "executor", "entry", "salt"):
        old, new = getattr(before, field), getattr(now, field)
        if old != new:
            changes.append(f"{field}: {old or 'none'} -> {new or 'none'}")
    if before.executor == now.executor and before.executor_digest != now.executor_digest:
        changes.append(f"executor: {now.executor} itself changed (lock, edits, environment or code)")
    had, has = (action.tools or {} for action in (before, now))
    changes += [
        f"tool {name}: {had.get(name, 'none')} -> {has.get(name, 'none')}"
        for name in sorted(had.keys() | has.keys())
        if had.get(name) != has.get(name)
    ]
    for name in sorted(before.parameters.keys() | now.parameters.keys()):
        old, new = before.parameters.get(name), now.parameters.get(name)
        if old != new:
            changes.append(f"parameter {name}: {_value(old)} -> {_value(new)}")
    for name in sorted(before.inputs.keys() | now.inputs.keys()):
        was, is_ = before.inputs.get(name), now.inputs.get(name)
        if was != is_:
            changes.append(f"input {name}: {was.short if was else 'none'} -> {is_.short if is_ else 'none'}")
    return tuple(changes)


def _value(value: object) -> str:
    return "default" if value is None else repr(value)
