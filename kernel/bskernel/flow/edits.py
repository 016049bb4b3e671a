"""A flow's steps with a build's edits: steps inserted, replaced, removed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bskernel.config import FlowEdit, StepTable
from bskernel.core.errors import ConfigError
from bskernel.flow.selection import FlowStep, position


class NamedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a flow with its name in this build."""

    name: str
    table: StepTable
    follows: str | None = None  # the flow's step that an inserted step directly follows
    is_own: bool = False  # the build's own step: the inputs it names are not redirected
    replaces: StepTable | None = None  # the flow's step whose place it takes

    @property
    def seen(self) -> FlowStep:
        """The step as selectors see it."""
        executor, _, entry = str(self.table.entry).rpartition(":")
        return FlowStep(name=self.name, executor=(self.table.executor or executor).partition("@")[0], entry=entry)


class _Place(msgspec.Struct):
    """A step with the steps inserted before and after it, in order."""

    step: NamedTable
    before: list[_Place] = []
    after: list[_Place] = []

    def steps(self) -> Iterator[NamedTable]:
        for place in self.before:
            yield from place.steps()
        yield self.step
        for place in self.after:
            yield from place.steps()


def entry_name(table: StepTable) -> str:
    """The step's own name, else its entry's."""
    return table.name or str(table.entry).rpartition(":")[2]


def name_steps(flow: Sequence[StepTable], path: str) -> list[NamedTable]:
    """The steps with unique names; further steps of the same entry get a number. Raises ConfigError."""
    names: dict[str, None] = {}
    used: dict[str, int] = {}  # entry name -> the last number given
    for table in flow:
        name = entry_name(table)
        if name in names:
            if table.name is not None:
                raise ConfigError(f"{path}: two steps have the name {name!r}", hint="rename one of them")
            entry, number = name, used.get(name, 1) + 1
            while f"{entry}-{number}" in names:
                number += 1
            used[entry], name = number, f"{entry}-{number}"
        names[name] = None
    return [NamedTable(name=name, table=table) for name, table in zip(names, flow, strict=True)]


def edit_flow(flow: Sequence[NamedTable], edit: FlowEdit, where: str) -> tuple[NamedTable, ...]:
    """Apply edits to a flow; `where` is their key, for error messages.

    A place is a step of the unedited flow or a step inserted above. Raises ConfigError with the choices: an unknown
    or removed place, a name already in use, no step left.
    """
    places = [_Place(step) for step in flow]
    seen = [step.seen for step in flow]
    removed = {position(selector, seen, f"{where}.remove") for selector in edit.remove}
    replaced: dict[int, str] = {}
    for selector, replacement in edit.replace.items():
        at = position(selector, seen, f"{where}.replace")
        name = flow[at].name
        if at in removed:
            raise ConfigError(f"{where}: step {name!r} is both replaced and removed", hint="remove one of the two")
        if at in replaced:
            raise ConfigError(f"{where}.replace: {replaced[at]!r} and {selector!r} are the same step, {name!r}")
        replaced[at] = selector
        table = StepTable(name=name, **msgspec.structs.asdict(replacement))
        places[at].step = NamedTable(name=name, table=table, is_own=True, replaces=flow[at].table)
    names = [step.name for at, step in enumerate(flow) if at not in removed]
    for number, insertion in enumerate(edit.insert):
        side = "after" if insertion.after is not None else "before"
        here = f"{where}.insert[{number}]: {side}"
        at = position(str(insertion.after or insertion.before), seen, here)
        if at in removed:
            gone = flow[at].name
            raise ConfigError(
                f"{here} {gone!r}: flow.edit.remove removes that step",
                hint=f"name a remaining step: {', '.join(names)}; or replace it: [flow.edit.replace.{gone}]",
            )
        name = entry_name(insertion)
        if name in names:
            raise ConfigError(
                f"{where}.insert[{number}]: the name {name!r} is already in use",
                hint="give the inserted step another name: name = ...",
            )
        beside = places[at].step
        follows = None if side == "before" else beside.name if at < len(flow) else beside.follows
        place = _Place(NamedTable(name=name, table=insertion, follows=follows, is_own=True))
        (places[at].after if side == "after" else places[at].before).append(place)
        places.append(place)
        seen.append(place.step.seen)
        names.append(name)
    kept = tuple(step for at, place in enumerate(places[: len(flow)]) if at not in removed for step in place.steps())
    if not kept:
        raise ConfigError(f"{where}.remove: removes every step: {', '.join(step.name for step in flow)}")
    return kept
