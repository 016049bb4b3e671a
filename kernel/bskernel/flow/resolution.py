"""Resolves a flow's steps for a build: edits applied, executor and entry found for each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from bskernel_protocol import EntryDescription

from bskernel.config import Config, StepOptions, StepTable
from bskernel.core.catalogue import ExecutorInfo, Executors, how_to_describe
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.flow.edits import NamedTable, edit_flow, name_steps
from bskernel.flow.selection import FlowStep, stages_left


class ResolvedFlowStep(msgspec.Struct, frozen=True, kw_only=True):
    """A flow's step with the build's changes, its executor and its entry."""

    name: str
    info: ExecutorInfo
    entry: EntryDescription
    options: StepOptions
    ahead: bool = False  # runs even in a range that starts later, when its output is needed
    each: str | None = None  # the input for whose items it runs
    table: str = ""  # the step whose [step.NAME] is in `options`; differs for an added check


def _merge(table: StepTable, change: StepOptions | None) -> StepOptions:
    if change is None:
        return table
    return StepOptions(
        executor=change.executor or table.executor,
        entry=change.entry or table.entry,
        parameters={**table.parameters, **change.parameters},
        inputs={**table.inputs, **change.inputs},
        tools={**table.tools, **change.tools},
        timeout_s=change.timeout_s if change.timeout_s is not None else table.timeout_s,
        memory_mib=change.memory_mib if change.memory_mib is not None else table.memory_mib,
    )


def resolve_step(step: NamedTable, config: Config, executors: Executors, path: Path) -> ResolvedFlowStep | None:
    """The step with its executor and entry; None for an optional one that its executor does not have.

    Raises ConfigError with the choices.
    """
    name, table = step.name, step.table
    changes = config.step if isinstance(config.step, dict) else {}
    options = _merge(table, changes.get(name))
    where = f"{path}: step {name}"
    prefix, _, entry_name = str(options.entry).rpartition(":")
    # An override that names another executor wins over the flow's EXECUTOR:ENTRY.
    executor = options.executor or prefix
    if not executor:
        raise ConfigError(f"{where}: no executor given", hint='write entry = "EXECUTOR:ENTRY"')
    info = executors.resolve(executor, config.executors, where)
    entry = info.entry(entry_name)
    if entry is None:
        if table.optional and name not in changes:
            return None
        have = [item.name for item in info.catalogue.entries]
        changed = "" if info.shipped else f"; if you changed the executor: bskernel {how_to_describe(info.ref)}"
        raise ConfigError(
            f"{where}: {info.ref} has no entry {entry_name!r}",
            hint=f"{choices(entry_name, have, 'entries')}{changed}",
        )
    entry = _with_stages(entry, step, config, executors)
    return ResolvedFlowStep(
        name=name, info=info, entry=entry, options=options, ahead=table.ahead, each=table.each, table=name
    )


def _with_stages(entry: EntryDescription, step: NamedTable, config: Config, executors: Executors) -> EntryDescription:
    """Give an entry that knows no stage, such as a user's own step, the stages of the step that it replaces."""
    if step.replaces is None or entry.stage_in or entry.stage_out is not None:
        return entry
    executor, _, name = str(step.replaces.entry).rpartition(":")
    try:
        info = executors.resolve(step.replaces.executor or executor, config.executors, step.name)
    except ConfigError:
        return entry  # replaced because this machine does not have it
    replaced = info.entry(name)
    if replaced is None:
        return entry
    return msgspec.structs.replace(entry, stage_in=replaced.stage_in, stage_out=replaced.stage_out)


def edited_flow(
    config: Config, flow: Sequence[StepTable], path: Path
) -> tuple[tuple[NamedTable, ...], frozenset[str]]:
    """The flow's steps after the build's edits, and the names of the removed ones."""
    steps = name_steps(flow, str(path))
    edited = edit_flow(steps, config.flow.edit, f"{path}: flow.edit")
    names = [step.name for step in edited]
    removed = frozenset(step.name for step in steps) - frozenset(names)
    for name in config.step if isinstance(config.step, dict) else ():
        if name not in names:
            why = "[flow.edit] removes that step" if name in removed else "the flow has no such step"
            raise ConfigError(f"{path}: [step.{name}]: {why}", hint=choices(name, names, "steps"))
    return edited, removed


def redirect_inputs(
    edited: Sequence[NamedTable], found: Sequence[ResolvedFlowStep], changes: Mapping[str, StepOptions]
) -> list[ResolvedFlowStep]:
    """Redirect inputs to steps that the build inserted: they replace the output of the step before them.

    Otherwise a flow that goes back to an earlier model would bypass the user's step. Inputs that the build itself
    names stay as they are.
    """
    made: dict[str, str] = {}
    entries = {item.name: item.entry for item in found}
    for step in edited:
        if step.follows is not None and step.name in entries:
            made |= {f"{step.follows}.{item.name}": f"{step.name}.{item.name}" for item in entries[step.name].outputs}
    literal = {step.name for step in edited if step.is_own}
    steps = []
    for item in found:
        own = changes[item.name].inputs if item.name in changes else {}
        inputs = {
            name: text if name in own or item.name in literal else made.get(text, text)
            for name, text in item.options.inputs.items()
        }
        steps.append(msgspec.structs.replace(item, options=msgspec.structs.replace(item.options, inputs=inputs)))
    return steps


def as_flow(wanted: Sequence[ResolvedFlowStep]) -> tuple[FlowStep, ...]:
    """The steps as selectors see them, with the model's stage after each."""
    left = stages_left([(item.name, item.entry, item.options.inputs) for item in wanted])
    return tuple(
        FlowStep(
            name=item.name,
            executor=item.info.name,
            entry=item.entry.name,
            # A check takes models at several stages, so a build does not start at it.
            takes=() if item.entry.checks_model else item.entry.stage_in,
            leaves=stage,
        )
        for item, stage in zip(wanted, left, strict=True)
    )
