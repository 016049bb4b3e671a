"""From a configuration and the executors' catalogues to the steps of a build. Touches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import ArtifactKind, EntryDescription, InputDescription

from bskernel.catalogues import ExecutorInfo, Executors, choices
from bskernel.conditions import holds
from bskernel.config import Config, StepOptions, StepTable
from bskernel.errors import ConfigError
from bskernel.parameters import check_executor_parameters, resolve_parameters
from bskernel.step import FromFile, FromStep, Source, Step
from bskernel.verifying import checks_after_every_step, transformations


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a build, in order, with every name resolved."""

    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A flow's step with the build's changes to it, its executor and entry found."""

    name: str
    info: ExecutorInfo
    entry: EntryDescription
    options: StepOptions


def _merge(table: StepTable, change: StepOptions | None) -> StepOptions:
    if change is None:
        return table
    return StepOptions(
        executor=change.executor or table.executor,
        entry=change.entry or table.entry,
        parameters={**table.parameters, **change.parameters},
        inputs={**table.inputs, **change.inputs},
        timeout_s=change.timeout_s if change.timeout_s is not None else table.timeout_s,
        memory_mib=change.memory_mib if change.memory_mib is not None else table.memory_mib,
    )


def _names(flow: Sequence[StepTable], path: Path) -> list[str]:
    names: list[str] = []
    for table in flow:
        name = table.name or str(table.entry).rpartition(":")[2]
        if name in names:
            if table.name is not None:
                raise ConfigError(f"{path}: two steps are named {name!r}", hint="give one another name")
            number = 2
            while f"{name}-{number}" in names:
                number += 1
            name = f"{name}-{number}"
        names.append(name)
    return names


def _find(name: str, table: StepTable, config: Config, executors: Executors, path: Path) -> _Wanted | None:
    changes = config.step if isinstance(config.step, dict) else {}
    options = _merge(table, changes.get(name))
    where = f"{path}: step {name}"
    prefix, _, entry_name = str(options.entry).rpartition(":")
    # An override that names another executor wins over the flow's EXECUTOR:ENTRY.
    executor = options.executor or prefix
    if not executor:
        raise ConfigError(f"{where}: names no executor", hint='write entry = "EXECUTOR:ENTRY"')
    info = executors.resolve(executor, config.executors, where)
    entry = info.entry(entry_name)
    if entry is None:
        if table.optional and name not in changes:
            return None
        have = [item.name for item in info.catalogue.entries]
        raise ConfigError(
            f"{where}: {info.ref} has no entry {entry_name!r}", hint=choices(entry_name, have, "entries")
        )
    return _Wanted(name=name, info=info, entry=entry, options=options)


def select(names: Sequence[str], first: str | None, last: str | None) -> range:
    """The range from step `first` to step `last`, both included; each a name or an index, also negative.

    Raises ConfigError with the choices.
    """

    def position(selector: str, option: str) -> int:
        if selector in names:
            return names.index(selector)
        try:
            index = int(selector)
        except ValueError:
            raise ConfigError(
                f"{option} {selector!r}: there is no such step", hint=choices(selector, list(names), "steps")
            ) from None
        if not -len(names) <= index < len(names):
            raise ConfigError(f"{option} {index}: the flow has {len(names)} steps, 0 to {len(names) - 1}")
        return index % len(names)

    start = position(first, "--from") if first is not None else 0
    stop = position(last, "--to") if last is not None else len(names) - 1
    if start > stop:
        raise ConfigError(
            f"--from {first} comes after --to {last}: no step is left", hint=f"order: {', '.join(names)}"
        )
    return range(start, stop + 1)


def _user_source(
    text: str, wanted: InputDescription, earlier: Mapping[str, Step], folder: Path, where: str
) -> Source:
    step, _, output = text.rpartition(".")
    if step in earlier:
        made = [item.name for item in earlier[step].outputs]
        if output not in made:
            raise ConfigError(f"{where}: step {step} has no output {output!r}", hint=choices(output, made, "outputs"))
        return FromStep(step=step, output=output)
    path = folder / text
    if not path.exists():
        raise ConfigError(
            f"{where}: there is no file {path}",
            hint=f"or name an earlier step's output as STEP.OUTPUT; steps: {', '.join(earlier) or 'none'}",
        )
    kind: ArtifactKind = "tree" if path.is_dir() else "file"
    if wanted.kind not in {kind, "any"}:
        raise ConfigError(f"{where}: {path} is not a {'folder' if wanted.kind == 'tree' else 'file'}")
    return FromFile(path=path, kind=kind)


def _wire(
    wanted: _Wanted,
    earlier: Mapping[str, Step],
    model: Path,
    build: Mapping[str, Any],
    path: Path,
) -> dict[str, Source]:
    folder, where = path.parent, f"{path}: step {wanted.name}"
    declared = {item.name: item for item in wanted.entry.inputs}
    for name in wanted.options.inputs:
        if name not in declared:
            raise ConfigError(
                f"{where}: {wanted.entry.name} has no input {name!r}",
                hint=choices(name, list(declared), "inputs"),
            )
    sources: dict[str, Source] = {}
    for name, item in declared.items():
        if name in wanted.options.inputs:
            text = wanted.options.inputs[name]
            # A flow names a file of the build's by its key.
            known = earlier if text not in build else {}
            sources[name] = _user_source(str(build.get(text, text)), item, known, folder, f"{where}: inputs.{name}")
            continue
        if item.source == "config" and item.default_from in build:
            key = str(item.default_from)
            sources[name] = _user_source(str(build[key]), item, {}, folder, f"{path}: {key}")
            continue
        makers = [step for step in earlier.values() if any(output.name == name for output in step.outputs)]
        if item.source == "flow" and makers:
            sources[name] = FromStep(step=makers[-1].name, output=name)
        elif item.source == "flow" and name == "model":
            sources[name] = FromFile(path=model, kind="file")
        elif item.required:
            raise ConfigError(
                f"{where}: nothing gives its input {name!r}",
                hint=f"put a step that makes it before, or set inputs.{name} = a {item.kind}: {item.help}",
            )
    return sources


def make_plan(
    config: Config,
    flow: Sequence[StepTable],
    executors: Executors,
    *,
    path: Path,
    model: Path,
    first: str | None = None,
    last: str | None = None,
) -> Plan:
    """Resolve every step of the flow. `path` is build.toml's, whose folder relative paths start from.

    Raises ConfigError: unknown executor, version, entry, parameter or input, a range without steps, stages that
    do not fit.
    """
    names = _names(flow, path)
    if isinstance(config.step, dict):
        for name in config.step:
            if name not in names:
                raise ConfigError(
                    f"{path}: [step.{name}]: the flow has no such step", hint=choices(name, names, "steps")
                )
    check_executor_parameters(config, executors, path)
    values = build_values(config)
    found = [
        _find(name, table, config, executors, path)
        for name, table in zip(names, flow, strict=True)
        if holds(table.when, values, f"{path}: step {name}")
    ]
    wanted = [item for item in found if item is not None]
    if values["quality.verify"] == "steps":
        wanted = _with_checks(wanted)
    chosen = [wanted[index] for index in select([item.name for item in wanted], first, last)]
    steps: dict[str, Step] = {}
    stage: str | None = None
    checked: Source | None = None  # the model that the last check took
    for item in chosen:
        where = f"{path}: step {item.name}"
        inputs = _wire(item, steps, model, values, path)
        source = inputs.get("model")
        # A flow may go back to an earlier model: its stage counts, not the last step's.
        before = steps[source.step].stage_out if isinstance(source, FromStep) else stage
        stage = _next_stage(before, item, where)
        own = {"plan.stage": stage, "plan.transformations": transformations(source, checked, steps)}
        checked = source if item.entry.checks_model else checked
        steps[item.name] = Step(
            index=len(steps),
            name=item.name,
            executor=item.info.ref,
            entry=item.entry.name,
            parameters=resolve_parameters(
                item.entry,
                config.parameters.get(item.info.ref.name, {}),
                item.options.parameters,
                values | {key: value for key, value in own.items() if value},
                where,
            ),
            inputs=inputs,
            outputs=item.entry.outputs,
            stage_out=stage,
            needs=item.entry.needs,
            timeout_s=item.options.timeout_s,
            memory_mib=item.options.memory_mib,
        )
    return Plan(steps=tuple(steps.values()))


def _with_checks(wanted: Sequence[_Wanted]) -> list[_Wanted]:
    """The steps, with a check after each that lies between the first check and the last."""
    steps: list[_Wanted] = []
    added = checks_after_every_step([(item.name, item.entry) for item in wanted])
    for at, item in enumerate(wanted):
        steps.append(item)
        if at in added:
            like = wanted[added[at].like]
            inputs = {name: text for name, text in like.options.inputs.items() if name != "model"}
            options = msgspec.structs.replace(like.options, inputs=inputs)
            steps.append(msgspec.structs.replace(like, name=added[at].name, options=options))
    return steps


def _next_stage(stage: str | None, item: _Wanted, where: str) -> str | None:
    takes = item.entry.stage_in
    if stage is not None and takes and stage not in takes:
        raise ConfigError(
            f"{where}: takes a model at stage {' or '.join(takes)}, but the steps before it leave it at {stage}"
        )
    return item.entry.stage_out or stage


def build_values(config: Config) -> dict[str, Any]:
    """The build's own values that fill parameters, by the names that catalogues use."""
    return {
        f"{section}.{name}": value
        for section in ("target", "quality")
        for name, value in msgspec.to_builtins(getattr(config, section)).items()
        if value is not None
    }
