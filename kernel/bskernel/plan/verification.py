"""Places verification steps between the steps of a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from bskernel_protocol import EntryDescription

from bskernel.core.step import FromStep, Source, Step


class AddedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A check to add after a step: a copy of another check of the flow under a new name."""

    name: str
    like: int  # the position of the copied check


def checks_after_every_step(steps: Sequence[tuple[str, EntryDescription]]) -> dict[int, AddedCheck]:
    """Position -> the check to add after each step that produces a model, between the first and the last check.

    Each copies the next check of the flow. None is added where that check comes next anyway.
    """
    first = next((at for at, (_, entry) in enumerate(steps) if entry.checks_model), len(steps))
    followed: dict[int, int] = {}  # step -> the next check, when another model is produced before it
    check, another = None, False
    for at in range(len(steps) - 1, first, -1):
        entry = steps[at][1]
        makes_model = any(output.name == "model" for output in entry.outputs)
        if makes_model and check is not None and another:
            followed[at] = check
        another = another or makes_model
        if entry.checks_model:
            check, another = at, False
    taken = {name for name, _ in steps}
    return {
        at: AddedCheck(name=_unused(f"evaluate-{steps[at][0]}", taken), like=followed[at]) for at in sorted(followed)
    }


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "-2"
    taken.add(name)
    return name


def transformations(source: Source | None, checked: Source | None, steps: Mapping[str, Step]) -> tuple[str, ...]:
    """The steps between the models `checked` and `source`; all steps when `source` does not come from `checked`."""
    names: list[str] = []
    while isinstance(source, FromStep) and source != checked:
        names.append(source.step)
        source = steps[source.step].inputs.get("model")
    return tuple(reversed(names))
