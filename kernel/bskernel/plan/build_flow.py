"""The flow of a build: its steps with edits, executors and entries, before any value or file is looked at. Pure.

The points of a sweep share it: `KnownFlows` keeps what was found for a part of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bskernel.config import Config, StepTable
from bskernel.core.catalogue import Executors
from bskernel.flow.conditions import holds, keys_in
from bskernel.flow.edits import NamedTable
from bskernel.flow.resolution import ResolvedFlowStep, as_flow, edited_flow, redirect_inputs, resolve_step
from bskernel.flow.selection import FlowStep
from bskernel.plan.parameters import check_executor_parameters
from bskernel.plan.target import boards_of
from bskernel.plan.verification import checks_after_every_step

_VERIFY = "quality.verify"
_encoder = msgspec.msgpack.Encoder(order="deterministic", enc_hook=str)


class BuildFlow(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a build's flow in order, of which a range will run."""

    wanted: tuple[ResolvedFlowStep, ...]
    steps: tuple[FlowStep, ...]  # the same, as selectors see them
    removed: frozenset[str]  # names of steps that the build's edits remove
    chosen_by: frozenset[str]  # the build's values that decide which steps there are
    boards: dict[str, str]  # that the steps' executors know, with their parts


class _Edited(msgspec.Struct, frozen=True, kw_only=True):
    steps: tuple[NamedTable, ...]
    removed: frozenset[str]
    chosen_by: frozenset[str]


class KnownFlows:
    """Flows of builds by all that decides them, for one build.toml and one set of executors."""

    def __init__(self, executors: Executors, path: Path) -> None:
        """Messages name the configuration at `path`."""
        self._executors = executors
        self._path = path
        self._edited: dict[bytes, _Edited] = {}
        self._known: dict[tuple[bytes, bytes], BuildFlow] = {}

    def of(self, config: Config, flow: Sequence[StepTable], values: Mapping[str, Any]) -> BuildFlow:
        """The flow of a build; `values` are those of `when`. Raises ConfigError, EnvironmentLacking."""
        steps = _encoder.encode([flow, config.flow.edit, config.step])
        edited = self._edited.get(steps)
        if edited is None:
            edited = self._edited[steps] = _edit(config, flow, self._path)
        chosen = [values.get(key) for key in sorted(edited.chosen_by)]
        key = (steps, _encoder.encode([chosen, config.executors, config.parameters]))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _resolve(config, edited, self._executors, values, self._path)
        return found


def _edit(config: Config, flow: Sequence[StepTable], path: Path) -> _Edited:
    steps, removed = edited_flow(config, flow, path)
    chosen_by = frozenset({_VERIFY}.union(*(keys_in(step.table.when) for step in steps)))
    return _Edited(steps=steps, removed=removed, chosen_by=chosen_by)


def _resolve(
    config: Config, edited: _Edited, executors: Executors, values: Mapping[str, Any], path: Path
) -> BuildFlow:
    check_executor_parameters(config, executors, path)
    steps = tuple(step for step in edited.steps if holds(step.table.when, values, f"{path}: step {step.name}"))
    found = [resolve_step(step, config, executors, path) for step in steps]
    changes = config.step if isinstance(config.step, dict) else {}
    wanted = redirect_inputs(steps, [item for item in found if item is not None], changes)
    if values[_VERIFY] == "steps":
        wanted = _with_checks(wanted)
    return BuildFlow(
        wanted=tuple(wanted),
        steps=as_flow(wanted),
        removed=edited.removed,
        chosen_by=edited.chosen_by,
        boards=boards_of({id(item.info): item.info for item in wanted}.values()),
    )


def _with_checks(wanted: Sequence[ResolvedFlowStep]) -> list[ResolvedFlowStep]:
    """The steps, with a check after each one between the first check and the last."""
    steps: list[ResolvedFlowStep] = []
    added = checks_after_every_step([(item.name, item.entry) for item in wanted])
    for at, item in enumerate(wanted):
        steps.append(item)
        if at in added:
            like = wanted[added[at].like]
            inputs = {name: text for name, text in like.options.inputs.items() if name != "model"}
            options = msgspec.structs.replace(like.options, inputs=inputs)
            steps.append(msgspec.structs.replace(like, name=added[at].name, options=options))
    return steps
