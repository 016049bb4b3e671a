"""The action: everything that can change a step's result. Its digest is the cache key."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
from bskernel_protocol import PROTOCOL_VERSION, Artifact, Digest, canonical_bytes, digest_of_bytes

from bskernel.core.step import Step


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="action", dict=True):
    """The content of the cache key. A step's name, time limit and memory limit are not in it.

    Limits decide whether a step ends, not what it makes, and what did not end is never remembered.
    """

    protocol: int  # another protocol may pass the same inputs differently
    executor: str  # name@version, for people who read a key; implied by the digest
    executor_digest: str  # lock, edits, environment and code of the executor
    entry: str  # which operation
    parameters: dict[str, Any]  # only those that the entry declares
    inputs: dict[str, Digest]  # by content, never by path or time
    salt: str  # lets a user force a fresh build without deleting anything
    # the mounted tools by content, never by path; left out when there are none
    tools: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    # the input whose items are run one by one; left out when the entry runs once
    each: str | msgspec.UnsetType = msgspec.UNSET

    @cached_property
    def key(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return digest_of_bytes(canonical_bytes(self))


class ActionResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="action-result"):
    """The result of an action. Only successes are remembered; times and hosts belong to the build, not here."""

    outputs: tuple[Artifact, ...]
    record: dict[str, Any] = {}
    log: Digest | None = None  # the log of the run that produced it

    def output(self, name: str) -> Artifact | None:
        """The output of that name, or None."""
        return next((artifact for artifact in self.outputs if artifact.name == name), None)


def action_of(step: Step, inputs: dict[str, Artifact], salt: str = "") -> Action:
    """The action of a step whose inputs are known."""
    return Action(
        protocol=PROTOCOL_VERSION,
        executor=str(step.executor),
        executor_digest=step.executor.digest,
        entry=step.entry,
        parameters=step.parameters,
        inputs={name: artifact.digest for name, artifact in inputs.items()},
        salt=salt,
        tools={install.tool: install.identity for install in step.executor.tools} or msgspec.UNSET,
        each=step.each.input if step.each is not None else msgspec.UNSET,
    )


def differences(before: Action, now: Action) -> tuple[str, ...]:
    """The changed fields of the key, in words."""
    changes = []
    for field in ("protocol", "executor", "entry", "salt", "each"):
        old, new = getattr(before, field), getattr(now, field)
        if old != new:
            changes.append(f"{field}: {old or 'none'} -> {new or 'none'}")
    if before.executor == now.executor and before.executor_digest != now.executor_digest:
        changes.append(f"executor: {now.executor} changed (its lock, edits, environment or code)")
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
