"""Selects the range of a flow to run, by steps or by stages of the model. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec
from bskernel_protocol import EntryDescription

from bskernel.config import FlowSection
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.core.stages import INPUT_TYPES, OUTPUT_TYPES


class FlowStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a flow as selectors see it. An empty `takes` means any stage."""

    name: str
    executor: str
    entry: str
    takes: tuple[str, ...] = ()
    leaves: str | None = None  # the model's stage after it, if known


class RangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The range that a command asks for, by steps or by stages of the model."""

    first: str | None = None
    last: str | None = None
    input_type: str | None = None
    output_type: str | None = None

    def options(self) -> tuple[str, ...]:
        """The options of a command that ask for this range."""
        named = {"--from": self.first, "--to": self.last}
        named |= {"--input-type": self.input_type, "--output-type": self.output_type}
        return tuple(part for option, value in named.items() if value is not None for part in (option, value))


class RangeEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a range as requested: a step or a stage, and the option or key that named it."""

    origin: str
    value: str
    is_stage: bool = False

    def __str__(self) -> str:
        return f"{self.origin} {self.value}"


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a range as resolved: the step, its index in the whole flow, and what chose it."""

    step: str
    index: int
    origin: str


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a build, from the first to the last, both included."""

    first: Bound
    last: Bound
    input_type: str | None = None  # the model's stage as the user states it

    @property
    def indices(self) -> range:
        """Indices of the steps in the whole flow."""
        return range(self.first.index, self.last.index + 1)


def position(selector: str, steps: Sequence[FlowStep], where: str) -> int:
    """The index of the step that a name, an index (also negative), EXECUTOR:ENTRY or EXECUTOR:NAME selects.

    Raises ConfigError with the choices when no step or several match.
    """
    names = [step.name for step in steps]
    if selector in names:
        return names.index(selector)
    executor, separator, entry = selector.rpartition(":")
    if separator:
        executor = executor.partition("@")[0]
        of_executor = [(at, step) for at, step in enumerate(steps) if step.executor == executor]
        found = [at for at, step in of_executor if step.entry == entry]
        found = found or [at for at, step in of_executor if step.name == entry]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(
                f"{where} {selector!r} selects {len(found)} steps",
                hint=f"choose one of them: {', '.join(names[at] for at in found)}",
            )
        known = list(dict.fromkeys(f"{step.executor}:{step.entry}" for step in steps))
        raise ConfigError(f"{where} {selector!r}: no such step", hint=choices(selector, known, "steps"))
    try:
        index = int(selector)
    except ValueError:
        raise ConfigError(f"{where} {selector!r}: no such step", hint=choices(selector, names, "steps")) from None
    if not -len(names) <= index < len(names):
        raise ConfigError(
            f"{where} {index}: the flow has {len(names)} steps, 0 to {len(names) - 1}",
            hint=f"order: {', '.join(names)}",
        )
    return index % len(names)


def stages_left(flow: Sequence[tuple[str, EntryDescription, Mapping[str, str]]]) -> list[str | None]:
    """The model's stage after each step, given by name, entry and the inputs that the flow names.

    A step that takes another step's model starts at that model's stage. A step without a model among its outputs
    changes no stage unless its entry says so.
    """
    left: dict[str, str | None] = {}
    model: str | None = None
    current: str | None = None
    for name, entry, inputs in flow:
        source = inputs.get("model", "").rpartition(".")[0]
        makes_model = any(output.name == "model" for output in entry.outputs)
        current = entry.stage_out or (left.get(source, model) if makes_model else current)
        left[name] = current
        model = current if makes_model else model
    return list(left.values())


def _asked(step: tuple[str, str | int | None], stage: tuple[str, str | None], what: str) -> RangeEnd | None:
    if step[1] is not None and stage[1] is not None:
        raise ConfigError(f"{step[0]} and {stage[0]} both say where the build {what}", hint="give only one of them")
    if stage[1] is not None:
        return RangeEnd(origin=stage[0], value=stage[1], is_stage=True)
    return RangeEnd(origin=step[0], value=str(step[1])) if step[1] is not None else None


def _is_known(end: RangeEnd | None, known: Sequence[str]) -> None:
    if end is not None and end.is_stage and end.value not in known:
        raise ConfigError(f"{end.origin} {end.value!r}: no such stage", hint=f"stages: {', '.join(known)}")


def select(steps: Sequence[FlowStep], range_request: RangeRequest, config: FlowSection, path: str) -> Range:
    """The range that the command asks for; where it says nothing, the range of the configuration at `path`.

    Raises ConfigError with the choices: an unknown step or stage, a stage that is reached twice, no step left.
    """
    first = _asked(("--from", range_request.first), ("--input-type", range_request.input_type), "begins") or _asked(
        (f"{path}: flow.from", config.first), (f"{path}: flow.input_type", config.input_type), "begins"
    )
    last = _asked(("--to", range_request.last), ("--output-type", range_request.output_type), "ends") or _asked(
        (f"{path}: flow.to", config.last), (f"{path}: flow.output_type", config.output_type), "ends"
    )
    _is_known(first, INPUT_TYPES)
    _is_known(last, OUTPUT_TYPES)
    start, stop = 0, len(steps) - 1
    if first is not None:
        start = _first_taking(first, steps) if first.is_stage else position(first.value, steps, first.origin)
    if last is not None:
        stop = _last_leaving(last, steps, start) if last.is_stage else position(last.value, steps, last.origin)
    if start > stop:
        raise ConfigError(
            f"{first or 'the first step'} comes after {last or 'the last step'}: no step is left",
            hint=f"order: {', '.join(step.name for step in steps)}",
        )
    return Range(
        first=Bound(step=steps[start].name, index=start, origin=str(first or "the flow's first step")),
        last=Bound(step=steps[stop].name, index=stop, origin=str(last or "the flow's last step")),
        input_type=first.value if first is not None and first.is_stage else None,
    )


def _first_taking(end: RangeEnd, steps: Sequence[FlowStep]) -> int:
    for index, step in enumerate(steps):
        if end.value in step.takes:
            return index
    taken = dict.fromkeys(stage for step in steps for stage in step.takes)
    raise ConfigError(
        f"{end}: no step of the flow takes a model at this stage",
        hint=f"stages that its steps take: {', '.join(taken) or 'none is declared'}",
    )


def _last_leaving(end: RangeEnd, steps: Sequence[FlowStep], start: int) -> int:
    """The last step at that stage, from `start` on; there must be exactly one run of such steps."""
    runs = [list(run) for _, run in groupby(range(start, len(steps)), key=lambda index: steps[index].leaves)]
    found = [run[-1] for run in runs if steps[run[0]].leaves == end.value]
    if len(found) == 1:
        return found[0]
    if found:
        ends = " or ".join(f"--to {steps[index].name}" for index in found)
        raise ConfigError(f"{end}: the flow reaches this stage {len(found)} times", hint=f"use {ends}")
    left = dict.fromkeys(step.leaves for step in steps[start:] if step.leaves is not None)
    since = f" from {steps[start].name} on" if start else ""
    raise ConfigError(
        f"{end}: the flow never reaches this stage{since}",
        hint=f"stages that it reaches{since}: {', '.join(left) or 'none is declared'}",
    )
