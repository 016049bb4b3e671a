"""Adds the step that checks the stage of a user's model. Pure.

The kernel cannot recognise a stage; an entry with `checks_stages` can. Without one the plan has no such step.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from bskernel_protocol import EntryDescription

from bskernel.config import Config
from bskernel.core.catalogue import ExecutorInfo, Executors
from bskernel.core.stages import INITIAL_STAGES
from bskernel.core.step import FromStep, Step
from bskernel.flow.selection import FlowStep
from bskernel.plan.parameters import resolve_parameters

NAME = "check_stage"


def with_stage_check(
    steps: tuple[Step, ...],
    begins: Step,
    entry: EntryDescription,
    input_type: str | None,
    flow: Sequence[FlowStep],
    executors: Executors,
    config: Config,
    path: Path,
) -> tuple[Step, ...]:
    """The steps, with a stage check first if needed; `begins`, of that entry, takes the user's model.

    The check has no outputs, so it changes no other step's key.
    """
    if input_type is None and frozenset(entry.stage_in) >= INITIAL_STAGES:
        return steps
    stages = entry.stage_in if input_type is None else (input_type,)
    found = _checking(stages, executors, config, path)
    if found is None:
        return steps
    info, check = found
    starts = {stage: next((step.name for step in flow if stage in step.takes), None) for stage in check.checks_stages}
    takes = {item.name for item in check.inputs}
    declared = {parameter.name for parameter in check.parameters}
    own = {"stages": list(stages), "starts": {stage: name for stage, name in starts.items() if name is not None}}
    first = Step(
        index=0,
        name=NAME if all(step.name != NAME for step in steps) else f"{NAME}-{begins.name}",
        executor=info.ref,
        entry=check.name,
        parameters=resolve_parameters(
            check, {}, {key: value for key, value in own.items() if key in declared}, {}, f"{path}: step {NAME}"
        ),
        inputs={
            name: source
            for name, source in begins.inputs.items()
            if name in takes and not isinstance(source, FromStep)
        },
        outputs=check.outputs,
    )
    return (first, *(_behind(first, step) for step in steps))


def _behind(check: Step, step: Step) -> Step:
    """The step one place later. A step without dependencies waits for the check: nothing runs for a wrong model."""
    begins = not any(isinstance(source, FromStep) for source in step.inputs.values())
    return msgspec.structs.replace(step, index=step.index + 1, after=(check.name,) if begins else step.after)


def _checking(
    stages: Sequence[str], executors: Executors, config: Config, path: Path
) -> tuple[ExecutorInfo, EntryDescription] | None:
    for name in executors.names():
        info = executors.resolve(name, config.executors, str(path))
        for entry in info.catalogue.entries:
            if entry.checks_stages and frozenset(stages) <= frozenset(entry.checks_stages):
                return info, entry
    return None
