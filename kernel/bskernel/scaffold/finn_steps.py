"""FINN's list of steps and wanted outputs, as a flow or as a list of one's own. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bskernel.blueprint.model import Note
from bskernel.flow.edits import NamedTable
from bskernel.scaffold.finn_fields import FinnFields, Product

_EXPORTED = frozenset({"onnx", "qonnx"})  # stages of a model that no step has changed
FlowSteps = Callable[[str], Sequence[NamedTable]]  # name of a shipped flow -> its steps


class ListedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a list of one's own; one that is `unknown` is the user's own function."""

    name: str
    entry: str  # EXECUTOR:ENTRY
    unknown: bool = False


class StepChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A flow with steps to remove, or else a list of steps."""

    flow: str = ""
    remove: tuple[str, ...] = ()
    last: str | None = None  # the flow's last step to run
    listed: tuple[ListedStep, ...] = ()
    notes: tuple[Note, ...] = ()


def choose_steps(
    data: Mapping[str, Any],
    fields: FinnFields,
    flow_steps: FlowSteps,
    entries: Collection[str],
    *,
    stages: Sequence[str],
    flow: str | None,
) -> StepChoice:
    """The steps that do what the configuration asks for, of a model at `stages`; `flow` is the user's own choice."""
    notes: list[Note] = []
    names = _read_names(data.get("steps"), fields, entries, notes)
    wanted = _wanted(data.get("generate_outputs"), names, fields, notes)
    chosen = Product(flow=flow) if flow is not None else wanted
    steps = flow_steps(chosen.flow)
    last = _last(data.get("stop_step"), fields, [step.name for step in steps], notes)
    if names is None:
        if flow is None and not data.get("generate_outputs"):
            why = f"the flow is {chosen.flow}: FINN would make everything up to a bitstream; --flow bitstream does"
            notes.append(Note(kind="changed", where="generate_outputs", value=None, why=why))
        return StepChoice(flow=chosen.flow, remove=_there(chosen.remove, steps), last=last, notes=tuple(notes))
    strange = _find_strange(names, fields, flow_steps)
    if flow is not None or not strange:
        why = f"the flow {chosen.flow} does these steps, and the checks and reports of bskernel"
        if strange:
            why = f"the flow {chosen.flow} was asked for; it does not have {', '.join(strange)}"
        notes.append(Note(kind="lost" if strange else "changed", where="steps", value=len(names), why=why))
        return StepChoice(flow=chosen.flow, remove=_there(chosen.remove, steps), last=last, notes=tuple(notes))
    listed = (*_begin_list(names, fields, stages, notes), *_list_steps(names, fields, entries, notes))
    return StepChoice(listed=listed, notes=tuple(notes))


def _there(names: Sequence[str], steps: Sequence[NamedTable]) -> tuple[str, ...]:
    have = {step.name for step in steps}
    return tuple(name for name in names if name in have)


def _read_names(
    value: Any, fields: FinnFields, entries: Collection[str], notes: list[Note]
) -> tuple[str, ...] | None:
    """The steps by today's names, those of FINN's library by their entries'; None for FINN's default list."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        notes.append(Note(kind="lost", where="steps", value=value, why="a list of names of steps was expected"))
        return None
    names: list[str] = []
    for name in map(str, value):
        today = fields.renamed.get(name, name)
        if today != name:
            notes.append(Note(kind="changed", where="steps", value=name, why=f"the step is called {today} today"))
        names.append(_in_library(today, fields, entries))
    return tuple(names) or None


def _in_library(name: str, fields: FinnFields, entries: Collection[str]) -> str:
    """The entry of a step of FINN's library, which is named by its Python path; other names stay."""
    if not name.startswith(fields.library):
        return name
    module, _, step = name.removeprefix(fields.library).rpartition(".")
    return next((entry for entry in (f"{module}_{step}", step) if entry in entries), name)


def _wanted(value: Any, names: Sequence[str] | None, fields: FinnFields, notes: list[Note]) -> Product:
    """The last product that is asked for, and that the list of steps, if there is one, makes."""
    asked = [value] if isinstance(value, str) else value
    outputs = [str(item).lower() for item in asked] if isinstance(asked, list) else []
    if asked and not isinstance(asked, list):
        why = "a list of names of outputs was expected"
        notes.append(Note(kind="lost", where="generate_outputs", value=asked, why=why))
    known = {product.output for product in fields.product if product.output}
    for output in outputs:
        if output not in known:
            why = f"not one of FINN's outputs: {', '.join(sorted(known))}"
            notes.append(Note(kind="lost", where="generate_outputs", value=output, why=why))
    default = fields.product[0]
    found = default
    have = None if names is None else {part for name in names for part in (name, *fields.instead.get(name, ()))}
    for product in fields.product:
        asked_for = product.output in outputs if product.output else have is not None
        made = have is None or not product.steps or any(step in have for step in product.steps)
        if asked_for and made:
            if product.lost:
                notes.append(Note(kind="lost", where="generate_outputs", value=product.output, why=product.lost))
            found = product if product.flow else found
    return found


def _last(value: Any, fields: FinnFields, names: Sequence[str], notes: list[Note]) -> str | None:
    if value is None:
        return None
    name = fields.renamed.get(str(value), str(value))
    if name in names:
        return name
    notes.append(Note(kind="lost", where="stop_step", value=value, why="the flow has no step of that name"))
    return None


def _find_strange(names: Sequence[str], fields: FinnFields, flow_steps: FlowSteps) -> list[str]:
    """The steps that the flows do not have, or else those of the front that stand in another order."""
    known = {step.name for step in flow_steps(fields.whole)} | {
        *fields.instead,
        *(step for product in fields.product for step in product.steps),
    }
    if strange := [name for name in names if name not in known]:
        return strange
    order = {step.name: at for at, step in enumerate(flow_steps(fields.front))}
    front = [name for name in names if name in order]
    return [after for before, after in itertools.pairwise(front) if order[before] >= order[after]]


def _list_steps(
    names: Sequence[str], fields: FinnFields, entries: Collection[str], notes: list[Note]
) -> tuple[ListedStep, ...]:
    """The list as it is, with what bskernel needs between its steps."""
    own: list[ListedStep] = []
    for name in names:
        own += [_around(entry) for entry in fields.around.get(f"before_{name}", ())]
        known = name in entries
        where = f"{fields.executor}:{name if known else 'custom'}"
        own.append(ListedStep(name=name, entry=where, unknown=not known))
        if not known:
            why = (
                f"{fields.executor} has no step of that name; if it is a function of yours, complete its [[step]] "
                "table in the file: parameters.function and inputs.source"
            )
            notes.append(Note(kind="lost", where="steps", value=name, why=why))
        own += [_around(entry) for entry in fields.around.get(f"after_{name}", ())]
    why = "the list is kept; without it the flows of bskernel would also check that thresholds round exactly"
    notes.append(Note(kind="changed", where="steps", value=len(names), why=why))
    return tuple(own)


def _begin_list(
    names: Sequence[str], fields: FinnFields, stages: Sequence[str], notes: list[Note]
) -> Iterator[ListedStep]:
    """What comes before the list if the model is as it was exported."""
    if stages and _EXPORTED.isdisjoint(stages):
        return
    yield from map(_around, fields.around["first"])
    for step in map(_around, fields.around["converted"]):
        if step.name not in names:
            why = "added in front: the model is not converted yet"
            notes.append(Note(kind="changed", where="steps", value=step.name, why=why))
            yield step


def _around(entry: str) -> ListedStep:
    return ListedStep(name=entry.rpartition(":")[2], entry=entry)
