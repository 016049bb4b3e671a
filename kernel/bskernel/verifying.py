"""Checks between the steps of a plan: where they go, and what lies between one and the next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from bskernel_protocol import EntryDescription

from bskernel.step import FromStep, Source, Step


class AddedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A check to put after a step: as another of the flow is, under its own name."""

    name: str
    like: int  # the position of the other one


def checks_after_every_step(steps: Sequence[tuple[str, EntryDescription]]) -> dict[int, AddedCheck]:
    """By position: what follows each step that makes a model, between the first check of the flow and the last.

    Each is like the next check of the flow. None follows where that check comes next anyway: before another model.
    """
    checks = [at for at, (_, entry) in enumerate(steps) if entry.checks_model]
    taken = {name for name, _ in steps}
    added: dict[int, AddedCheck] = {}
    for at, (name, entry) in enumerate(steps):
        makes_model = any(output.name == "model" for output in entry.outputs)
        following = [check for check in checks if check > at]
        if not makes_model or not following or not any(check < at for check in checks):
            continue
        between = steps[at + 1 : following[0]]
        if any(output.name == "model" for _, later in between for output in later.outputs):
            added[at] = AddedCheck(name=_unused(f"evaluate-{name}", taken), like=following[0])
    return added


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "-2"
    taken.add(name)
    return name


def transformations(source: Source | None, checked: Source | None, steps: Mapping[str, Step]) -> tuple[str, ...]:
    """The steps that made the model `source` out of the model `checked`; all, where it did not come from that one."""
    names: list[str] = []
    while isinstance(source, FromStep) and source != checked:
        names.insert(0, source.step)
        source = steps[source.step].inputs.get("model")
    return tuple(names)
