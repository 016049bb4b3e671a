"""Shows which steps of a build are cached, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bskernel.core.action import Action, ActionResult, action_of
from bskernel.core.interfaces import Store
from bskernel.core.run_reason import reasons_to_run
from bskernel.core.step import FromStep, Step
from bskernel.execution.step_inputs import resolve_inputs
from bskernel.result.build_directory import BuildDirectory
from bskernel.result.output_writer import check_writer
from bskernel.workspace.workspace import PreparedBuild, Workspace


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of `bskernel plan`: whether it is cached, and if not, why it runs."""

    step: Step
    cached: bool
    reasons: tuple[str, ...] = ()


def preview_build(
    workspace: Workspace, prepared: PreparedBuild, note: Callable[[str], None] = lambda _: None
) -> tuple[PlannedStep, ...]:
    """For every step of a build, whether it is cached, here or in the shared store, and otherwise why it runs.

    `note` as in `Workspace.open_store`. Raises ConfigError as `run_build` does.
    """
    check_writer(prepared.output, prepared.loaded.path)
    with workspace.open_store(prepared.loaded, note, read_only=True) as opened:
        planned = _preview(prepared, opened.store)
    workspace.files.save()
    return planned


def _preview(prepared: PreparedBuild, store: Store) -> tuple[PlannedStep, ...]:
    before = BuildDirectory(prepared.output).last_actions()
    made: dict[str, Any] = {}
    planned = []
    for step in prepared.plan.steps:
        missing = [
            source.step for source in step.inputs.values() if isinstance(source, FromStep) and source.step not in made
        ]
        if missing:
            reasons = (f"step {missing[0]} runs before it", *_items(step))
            planned.append(PlannedStep(step=step, cached=False, reasons=reasons))
            continue
        action = action_of(step, resolve_inputs(step, made, store), prepared.loaded.config.build.salt)
        known = store.peek(action, step.outputs)
        if known is not None:
            made[step.name] = known
            planned.append(PlannedStep(step=step, cached=True))
            continue
        last = before.get(step.name)
        reasons = (*reasons_to_run(step, action, last), *_items(step))
        planned.append(PlannedStep(step=step, cached=False, reasons=reasons))
    return tuple(planned)


def _items(step: Step) -> tuple[str, ...]:
    if step.each is None:
        return ()
    return (f"once for each different folder in its input {step.each.input}; how many is known when it starts",)


def recall_each(
    workspace: Workspace, prepared: PreparedBuild, recall: Callable[[Action], ActionResult | None]
) -> int:
    """Recall every step whose inputs are known; returns how many are not, because an earlier result is missing."""
    made: dict[str, ActionResult] = {}
    unknown = 0
    for step in prepared.plan.steps:
        sources = [source.step for source in step.inputs.values() if isinstance(source, FromStep)]
        if not made.keys() >= set(sources):
            unknown += 1
            continue
        result = recall(
            action_of(step, resolve_inputs(step, made, workspace.store), prepared.loaded.config.build.salt)
        )
        if result is not None:
            made[step.name] = result
    return unknown
