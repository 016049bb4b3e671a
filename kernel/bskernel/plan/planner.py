"""Makes the plan of a build from its configuration, its flow and the executors' catalogues. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import CODE, EntryDescription

from bskernel.config import Config, StepTable
from bskernel.core.catalogue import Executors
from bskernel.core.errors import ConfigError
from bskernel.core.items import outputs_of_items
from bskernel.core.step import ExecutorRef, FromFile, FromStep, Source, Step
from bskernel.flow.conditions import REQUIRE, value_keys
from bskernel.flow.resolution import ResolvedFlowStep
from bskernel.flow.selection import Range, RangeRequest, select
from bskernel.plan.build_flow import KnownFlows
from bskernel.plan.inputs import resolve_sources, upstream_model
from bskernel.plan.items import each_of
from bskernel.plan.parameters import Origins
from bskernel.plan.stage_check import with_stage_check
from bskernel.plan.target import BOARDS, PART, check_objective, doubts_about, part_of
from bskernel.plan.user_files import UserFiles
from bskernel.plan.verification import transformations

TRANSFORMATIONS = "plan.transformations"  # a parameter that the plan fills: the steps since the model's last check

# The time limits of steps for which nobody sets timeout_s: no step waits for ever, and none that computes is hit.
LIMIT_S = 4 * 3600.0
TOOL_LIMIT_S = 48 * 3600.0  # of entries that need a tool, such as Vivado


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The ordered steps of a build with every name resolved; `range` is their part of the flow."""

    steps: tuple[Step, ...]
    range: Range
    origins: tuple[Origins | None, ...] = ()  # by step; None when no value of the build enters its parameters
    # The build's values that decide more than parameters: which steps there are, and which files they take.
    chosen_by: frozenset[str] = frozenset()
    fed_by: frozenset[str] = frozenset()
    values: dict[str, Any] = {}  # the build's values that fill parameters
    warnings: tuple[str, ...] = ()  # what can be built, but is hardly meant

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


def make_plan(
    config: Config,
    flow: Sequence[StepTable],
    executors: Executors,
    *,
    path: Path,
    model: Path,
    files: UserFiles,
    place: Path | None = None,
    flows: KnownFlows | None = None,
    range_request: RangeRequest = RangeRequest(),  # noqa: B008 - frozen
) -> Plan:
    """Resolve every step of the flow. `path` is that of build.toml; relative paths start at its folder, or at
    `place`.

    `files` are those that the build names. `flows` are known flows of builds of the same file and executors.

    `range_request` is the range that the command asks for; it counts before that of the configuration. A step that
    checks the model's stage comes first where the build begins in the middle of the flow, if an executor has one.

    Raises ConfigError: unknown executor, version, entry, parameter or input, a range without steps, stages that
    do not fit, edits that cannot be made.
    """
    values = build_values(config)
    known = (flows or KnownFlows(executors, path)).of(config, flow, values)
    wanted, steps_of_flow = known.wanted, known.steps
    check_objective(config.target, (item.entry for item in wanted), path)
    values[BOARDS] = known.boards
    if (part := part_of(config.target, known.boards, path)) is not None:
        values[PART] = part
    left = {step.name: step.leaves for step in steps_of_flow}
    chosen = select(steps_of_flow, range_request, config.flow, str(path))
    taken_by = {item.name for index in chosen.indices for item in wanted[index].entry.inputs if item.source == "flow"}
    ahead = [
        at
        for at in range(chosen.first.index)
        if wanted[at].ahead and taken_by & {output.name for output in wanted[at].entry.outputs}
    ]
    given = upstream_model(wanted, chosen.first.index, model, known.removed)
    steps: dict[str, Step] = {}
    origins: list[Origins] = []
    newest: dict[str, str] = {}  # output -> the last step that produces it
    stage: str | None = None
    file_stages = {model: chosen.input_type or left.get(given.stands_for or "")}
    checked: Source | None = None  # the model of the last check
    begins: tuple[Step, EntryDescription] | None = None  # the first step that requires a stage of the user's model
    planned_items = [wanted[index] for index in (*ahead, *chosen.indices)]
    for item in planned_items:
        where = f"{path}: step {item.name}"
        inputs = resolve_sources(item, steps, newest, given, values, path, place or path.parent, files)
        source = inputs.get("model")
        # A flow may go back to an earlier model, so the stage is that model's, not the last step's.
        taken = stage
        if isinstance(source, FromStep):
            taken = steps[source.step].stage_out
        elif isinstance(source, FromFile):
            taken = file_stages.get(source.path)
        _check_stage(taken, item, where)
        makes_model = any(output.name == "model" for output in item.entry.outputs)
        stage = item.entry.stage_out or (taken if makes_model else stage)
        own: dict[str, Any] = {"plan.stage": taken}
        if any(parameter.default_from == TRANSFORMATIONS for parameter in item.entry.parameters):
            own[TRANSFORMATIONS] = transformations(source, checked, steps)
        checked = source if item.entry.checks_model else checked
        origin = Origins(
            entry=item.entry,
            executor=item.info.name,
            table=item.table,
            own=item.options.parameters,
            plan={key: value for key, value in own.items() if value},
            where=where,
        )
        origins.append(origin)
        each = each_of(item, inputs, (other.name for other in wanted), where)
        steps[item.name] = Step(
            index=len(steps),
            name=item.name,
            executor=_executor_of(item, inputs),
            entry=item.entry.name,
            parameters=origin.resolve(config.parameters.get(item.info.name, {}), values),
            inputs=inputs,
            outputs=item.entry.outputs if each is None else outputs_of_items(item.entry.outputs),
            each=each,
            stage_out=stage,
            needs=item.entry.needs,
            tool_versions=item.options.tools,
            timeout_s=item.options.timeout_s or (TOOL_LIMIT_S if item.entry.needs else LIMIT_S),
            memory_mib=item.options.memory_mib,
        )
        newest |= {output.name: item.name for output in item.entry.outputs}
        if begins is None and isinstance(source, FromFile) and item.entry.stage_in:
            begins = steps[item.name], item.entry
    planned = tuple(steps.values())
    if begins is not None:
        planned = with_stage_check(planned, *begins, chosen.input_type, steps_of_flow, executors, config, path)
    return Plan(
        steps=planned,
        range=chosen,
        origins=(None,) * (len(planned) - len(steps)) + tuple(origins),
        chosen_by=known.chosen_by,
        fed_by=_files_named(planned_items),
        values=values,
        warnings=doubts_about(config.target),
    )


def _executor_of(item: ResolvedFlowStep, inputs: Mapping[str, Source]) -> ExecutorRef:
    for wanted in item.entry.inputs:
        if wanted.media_type == CODE and wanted.name in inputs:
            return msgspec.structs.replace(item.info.ref, for_user_code=True)
    return item.info.ref


def _files_named(items: Sequence[ResolvedFlowStep]) -> frozenset[str]:
    """The build's keys that name files for inputs, set or not."""
    texts = {text for item in items for text in item.options.inputs.values()}
    return frozenset(value_keys()) & texts.union(
        str(wanted.default_from) for item in items for wanted in item.entry.inputs if wanted.default_from
    )


def _check_stage(stage: str | None, item: ResolvedFlowStep, where: str) -> None:
    takes = item.entry.stage_in
    if stage is not None and takes and stage not in takes:
        raise ConfigError(
            f"{where}: takes a model at stage {' or '.join(takes)}, but the steps before it produce stage {stage}"
        )


def build_values(config: Config) -> dict[str, Any]:
    """The build's values that fill parameters, by the names in catalogues."""
    values = {
        f"{section}.{name}": value
        for section in ("target", "quality")
        for name, value in msgspec.to_builtins(getattr(config, section)).items()
        if value is not None
    }
    if config.sweep is not None and config.sweep.require:
        values[REQUIRE] = config.sweep.require
    return values
