"""Which steps of a flow a build takes: selectors of steps and stages of the model, resolved to one range. Pure."""

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
    """A step of a flow, as selectors see it. An empty `takes` takes any stage."""

    name: str
    executor: str
    entry: str
    takes: tuple[str, ...] = ()
    leaves: str | None = None  # the stage that the model has after it, where that is known


class RangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a command asks for: steps, or stages of the model."""

    first: str | None = None
    last: str | None = None
    input_type: str | None = None
    output_type: str | None = None


class RangeEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a range as it was asked for: by a step or by a stage, and by which option or key."""

    origin: str
    value: str
    is_stage: bool = False

    def __str__(self) -> str:
        return f"{self.origin} {self.value}"


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a range as it was resolved: a step, its index in the whole flow, and what chose it."""

    step: str
    index: int
    origin: str


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """The steps that a build takes, from the first to the last, both included."""

    first: Bound
    last: Bound
    input_type: str | None = None  # what the user says that the model is

    @property
    def indices(self) -> range:
        """Indices of its steps in the whole flow."""
        return range(self.first.index, self.last.index + 1)


def position(selector: str, steps: Sequence[FlowStep], where: str) -> int:
    """The index of the one step that a name, an index (also negative) or EXECUTOR:ENTRY selects.

    Raises ConfigError with the choices when no step or several match.
    """
    names = [step.name for step in steps]
    if selector in names:
        return names.index(selector)
    executor, separator, entry = selector.rpartition(":")
    if separator:
        executor = executor.partition("@")[0]
        found = [at for at, step in enumerate(steps) if (step.executor, step.entry) == (executor, entry)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(
                f"{where} {selector!r} selects {len(found)} steps",
                hint=f"name one of them: {', '.join(names[at] for at in found)}",
            )
        known = list(dict.fromkeys(f"{step.executor}:{step.entry}" for step in steps))
        raise ConfigError(f"{where} {selector!r}: there is no such step", hint=choices(selector, known, "steps"))
    try:
        index = int(selector)
    except ValueError:
        raise ConfigError(
            f"{where} {selector!r}: there is no such step", hint=choices(selector, names, "steps")
        ) from None
    if not -len(names) <= index < len(names):
        raise ConfigError(
            f"{where} {index}: the flow has {len(names)} steps, 0 to {len(names) - 1}",
            hint=f"order: {', '.join(names)}",
        )
    return index % len(names)


def stages_left(flow: Sequence[tuple[str, EntryDescription, Mapping[str, str]]]) -> list[str | None]:
    """The stage of the model after each step, given by name, entry and the inputs that the flow names for it.

    A step that names another's model has that model's stage; one that makes no model changes no stage, unless
    its entry says so.
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
        raise ConfigError(f"{step[0]} and {stage[0]} both say where the build {what}", hint="give one of them")
    if stage[1] is not None:
        return RangeEnd(origin=stage[0], value=stage[1], is_stage=True)
    return RangeEnd(origin=step[0], value=str(step[1])) if step[1] is not None else None


def _is_known(end: RangeEnd | None, known: Sequence[str]) -> None:
    if end is not None and end.is_stage and end.value not in known:
        raise ConfigError(f"{end.origin} {end.value!r}: there is no such stage", hint=f"stages: {', '.join(known)}")


def select(steps: Sequence[FlowStep], range_request: RangeRequest, config: FlowSection, path: str) -> Range:
    """The range that the command asks for, and where it says nothing, that the configuration at `path` asks for.

    Raises ConfigError with the choices: no such step or stage, a stage that is reached twice, no step left.
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
        f"{end}: no step of the flow takes a model at that stage",
        hint=f"stages that its steps take: {', '.join(taken) or 'none is declared'}",
    )


def _last_leaving(end: RangeEnd, steps: Sequence[FlowStep], start: int) -> int:
    """The last step of the one run of steps, from `start` on, that leave the model at the stage."""
    runs = [list(run) for _, run in groupby(range(start, len(steps)), key=lambda index: steps[index].leaves)]
    found = [run[-1] for run in runs if steps[run[0]].leaves == end.value]
    if len(found) == 1:
        return found[0]
    if found:
        ends = " or ".join(f"--to {steps[index].name}" for index in found)
        raise ConfigError(
            f"{end}: the flow reaches that stage {len(found)} times, and leaves it in between", hint=f"say {ends}"
        )
    left = dict.fromkeys(step.leaves for step in steps[start:] if step.leaves is not None)
    since = f" from {steps[start].name} on" if start else ""
    raise ConfigError(
        f"{end}: the flow never leaves the model at that stage{since}",
        hint=f"stages that it has{since}: {', '.join(left) or 'none is declared'}",
    )
