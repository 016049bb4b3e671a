"""Plans points that differ in parameters only: the shared steps, and the parameters for given settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription

from bskernel.config import Config
from bskernel.config.assignments import with_key
from bskernel.core.step import FromStep, Step
from bskernel.plan.backend_choice import Choice
from bskernel.plan.parameters import Origins
from bskernel.plan.planner import Plan

_encoder = msgspec.msgpack.Encoder(order="deterministic", enc_hook=str)


class Numbering:
    """Numbers distinct byte strings in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def of(self, data: bytes) -> int:
        """The number of the bytes."""
        return self._numbers.setdefault(data, len(self._numbers))


Resolved = tuple[int, dict[str, Any]]  # (the number of these parameters, the parameters)


class TemplateStep:
    """A step of a template; only its parameters differ between points."""

    # Points may have a template each, so there are as many of these as the sweep has steps.
    __slots__ = (
        *("_executor_wide", "_first", "_numbers", "_origins", "_others", "_reads", "_values"),
        *("before", "step", "takes_all", "template"),
    )

    def __init__(
        self,
        *,
        step: Step,
        origins: Origins | None,
        before: dict[str, int],
        takes_all: bool,
        template: int,
        values: Mapping[str, Any],
        executor_wide: Mapping[str, Any],
        numbers: Numbering,
        ids: Mapping[str, int],
        reads: Sequence[str],
    ) -> None:
        """`reads` are the keys that may change its parameters."""
        self.step = step
        self.before = before  # steps that it refers to -> their positions
        self.takes_all = takes_all
        self.template = template  # equal for steps that differ in parameters and position only
        self._origins = origins
        self._values = values
        self._executor_wide = executor_wide
        self._numbers = numbers
        self._reads = reads
        # The point from which the template was made has resolved them.
        self._first = self._combination(ids), self._numbered(step.parameters)
        self._others: dict[tuple[int, ...], Resolved] | None = None

    def parameters(self, settings: Mapping[str, Any], ids: Mapping[str, int]) -> Resolved:
        """The parameters of a point, resolved once per combination of values the step reads. Raises ConfigError."""
        combination = self._combination(ids)
        if combination == self._first[0]:
            return self._first[1]
        if self._others is None:
            self._others = {}
        found = self._others.get(combination)
        if found is None:
            found = self._others[combination] = self._numbered(self._resolve(settings))
        return found

    def _combination(self, ids: Mapping[str, int]) -> tuple[int, ...]:
        return tuple([ids[key] for key in self._reads])

    def _numbered(self, parameters: dict[str, Any]) -> Resolved:
        return self._numbers.of(_encoder.encode(parameters)), parameters

    def _resolve(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        origins = self._origins
        if origins is None:
            return self.step.parameters
        own, wide, values = origins.own, self._executor_wide, dict(self._values)
        for key in self._reads:
            section, *parts = key.split(".")
            if section == "step":
                own = with_key(own, parts[2:], settings[key], origins.where)
            elif section == "parameters":
                wide = with_key(wide, parts[1:], settings[key], origins.where)
            else:
                values[key] = settings[key]
        return msgspec.structs.replace(origins, own=own).resolve(wide, values)


class Reads:
    """The keys that may change a step's parameters, found once per entry, table and set of keys."""

    def __init__(self) -> None:
        # With each entry, so that no other one takes its identity.
        self._known: dict[tuple[int, str, str, frozenset[str]], tuple[EntryDescription, tuple[str, ...]]] = {}

    def of(self, origins: Origins, keys: Mapping[str, int]) -> tuple[str, ...]:
        """Those of `keys`, in order."""
        which = (id(origins.entry), origins.executor, origins.table, frozenset(keys))
        found = self._known.get(which)
        if found is None:
            found = self._known[which] = origins.entry, tuple(sorted(_reads(origins, keys)))
        return found[1]


class PlanTemplate:
    """A plan shared by points with the same steps, connected in the same way to each other and to files."""

    def __init__(
        self,
        *,
        config: Config,
        plan: Plan,
        backend: Choice | None,
        takes_all: Sequence[bool],
        ids: Mapping[str, int],
        templates: Numbering,
        parameters: Numbering,
        reads: Reads,
    ) -> None:
        """`config` and `plan` are those of one point, whose keys have the values with these `ids`."""
        self.config = config
        self.plan = plan
        self.backend = backend
        places = {step.name: step.index for step in plan.steps}
        self.steps = [
            TemplateStep(
                step=step,
                origins=origins,
                before={name: places[name] for name in _refers_to(step)},
                takes_all=all_before,
                template=templates.of(_template(step, config.build.salt)),
                values=plan.values,
                executor_wide=config.parameters.get(step.executor.name, {}),
                numbers=parameters,
                ids=ids,
                reads=reads.of(origins, ids) if origins is not None else (),
            )
            for step, origins, all_before in zip(plan.steps, plan.origins, takes_all, strict=True)
        ]


def _refers_to(step: Step) -> dict[str, None]:
    named = dict.fromkeys([source.step for source in step.inputs.values() if isinstance(source, FromStep)])
    return named | dict.fromkeys(step.after) if step.after else named


def _template(step: Step, salt: str) -> bytes:
    bare = msgspec.structs.replace(step, index=0, parameters={})
    return _encoder.encode([bare, salt])


def _reads(origins: Origins, keys: Mapping[str, int]) -> list[str]:
    """The keys that may change the parameters of a step."""
    parameters = {parameter.name for parameter in origins.entry.parameters}
    filled = {parameter.default_from for parameter in origins.entry.parameters}
    found = []
    for key in keys:
        section, *parts = key.split(".")
        own = section == "step" and parts[:2] == [origins.table, "parameters"]
        wide = section == "parameters" and parts[0] == origins.executor and parts[1] in parameters
        if key in filled or own or wide:
            found.append(key)
    return found
