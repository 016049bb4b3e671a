"""Captures a step's outputs into the store, exactly those that its entry declares."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import (
    Failure,
    StepResult,
)
from bskernel_protocol.layout import LAYOUT

from bskernel.core.action import ActionResult
from bskernel.core.interfaces import OutputViolation, Store
from bskernel.core.step import Step


def capture_outputs(step: Step, out: Path, result: StepResult, log: bytes, store: Store) -> ActionResult | Failure:
    """The result with its outputs captured, or the failure when they are not those that the entry declares.

    `out` is the step's out/ folder.
    """
    declared = {output.name: output for output in step.outputs}
    stray = sorted(path.name for path in out.parent.iterdir() if path.name not in LAYOUT)
    if stray:
        return Failure(
            category="executor",
            message=f"step {step.name} wrote {stray[0]!r} outside out/ and work/",
            cause=last_lines(log),
        )
    found = sorted(path.name for path in out.iterdir()) if out.is_dir() and not out.is_symlink() else []
    undeclared = [name for name in found if name not in declared]
    missing = [name for name, output in declared.items() if output.required and name not in found]
    if undeclared or missing:
        what = f"wrote {undeclared[0]!r}, which" if undeclared else f"did not write {missing[0]!r}, which"
        return Failure(
            category="executor",
            message=f"step {step.name} {what} its entry {'does not declare' if undeclared else 'declares'}",
            cause=last_lines(log),
        )
    try:
        artifacts = tuple(
            store.capture(out / name, name, declared[name].kind, declared[name].media_type) for name in found
        )
    except OutputViolation as error:
        return Failure(category="executor", message=f"step {step.name}: output {error}")
    return ActionResult(outputs=artifacts, record=result.record, log=store.put(log))


def last_lines(log: bytes) -> tuple[str, ...]:
    """The last eight lines of a step's log, as text."""
    lines = log.decode("utf-8", "replace").splitlines()[-8:]
    texts = []
    for line in lines:
        try:
            texts.append(str(msgspec.json.decode(line)["text"]))
        except (msgspec.DecodeError, KeyError, TypeError):
            texts.append(line)
    return tuple(texts)
