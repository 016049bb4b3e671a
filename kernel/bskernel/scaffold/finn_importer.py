"""FINN's build configuration as the values of a build.toml, with notes on what that cannot say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription, ParameterDescription

from bskernel.blueprint.model import Note
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices, nearest
from bskernel.flow.edits import NamedTable
from bskernel.plan.parameters import check_value
from bskernel.scaffold.finn_fields import FinnFields
from bskernel.scaffold.finn_steps import FlowSteps, StepChoice, choose_steps
from bskernel.scaffold.new_build import Target

PathOf = Callable[[str], str | None]  # a path of the configuration -> as build.toml names it, None if it is not there


class FinnImport(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a build.toml."""

    executor: str  # whose parameters these are
    steps: StepChoice
    target: dict[str, Any]
    quality: dict[str, str]
    parameters: dict[str, Any]  # of all its steps
    step_parameters: dict[str, dict[str, Any]]  # where the flow's step has a value of its own
    inputs: dict[str, dict[str, str]]
    notes: tuple[Note, ...]


class _Importer:
    """Collects the values and notes."""

    def __init__(
        self,
        fields: FinnFields,
        entries: Mapping[str, EntryDescription],
        boards: Mapping[str, str],
        path_of: PathOf,
    ) -> None:
        self.fields = fields
        self.entries = entries
        self.boards = boards
        self.path_of = path_of
        self.notes: list[Note] = []
        self.target: dict[str, Any] = {}
        self.quality: dict[str, str] = {}
        self.parameters: dict[str, Any] = {}
        self.step_parameters: dict[str, dict[str, Any]] = {}
        self.inputs: dict[str, dict[str, str]] = {}
        self.steps: dict[str, NamedTable | str] = {}

    def lose(self, key: str, value: Any, why: str) -> None:
        self.notes.append(Note(kind="lost", where=key, value=value, why=why))

    def change(self, key: str, value: Any, why: str) -> None:
        self.notes.append(Note(kind="changed", where=key, value=value, why=why))

    def take(self, key: str, value: Any) -> None:
        """One field."""
        fields = self.fields
        if key in {"steps", "generate_outputs", "stop_step"}:
            return  # choose_steps
        if value is None or value in ({}, []):
            return  # a field that is not set
        if value in fields.defaults.get(key, ()) and (key not in fields.samples or self.path_of(value) is None):
            return
        if value is False and key in fields.covered.keys() | fields.lost.keys():
            return  # a feature that is off
        if key in fields.covered:
            self.change(key, value, fields.covered[key])
        elif key in fields.lost:
            self.lose(key, value, fields.lost[key])
        elif key in fields.target:
            self._take_target(key, value)
        elif key in fields.files or key in fields.samples:
            self._take_file(key, value)
        elif isinstance(value, str) and value in fields.values.get(key, {}):
            self.lose(key, value, fields.values[key][value])
        else:
            self._take_parameter(key, value)

    def _take_target(self, key: str, value: Any) -> None:
        name = self.fields.target[key]
        kinds: dict[str, Any] = {"clock_ns": float, "target_fps": int, "board": str, "part": str}
        if isinstance(value, float) and value.is_integer() and name == "target_fps":
            value = int(value)
        try:
            value = msgspec.convert(value, kinds[name], strict=isinstance(value, bool))
            if name in {"clock_ns", "target_fps"} and value <= 0:
                raise ValueError
        except (msgspec.ValidationError, ValueError):
            self.lose(key, value, f"target.{name} is {'a text' if kinds[name] is str else 'a number above 0'}")
            return
        if name == "board" and value not in self.boards:
            near = nearest(value, list(self.boards))
            if not near or near[0].lower() != value.lower():
                self.lose(key, value, f"{choices(value, sorted(self.boards), 'boards')}; or set target.part")
                return
            self.change(key, value, f"the board is called {near[0]}")
            value = near[0]
        self.target[name] = value

    def settle_target(self, given: Target) -> None:
        """The user's choice wins; a part wins over a board, as in FINN; a clock that is not given is FINN's."""
        for name in ("board", "part", "clock_ns", "target_fps"):
            own = getattr(given, name)
            if own is None:
                continue
            for other in ({"board", "part"} - {name}) if name in {"board", "part"} else set():
                self.target.pop(other, None)
            self.target[name] = own
        board, part = self.target.get("board"), self.target.get("part")
        if board is not None and part is not None and self.boards.get(board, part).lower() != part.lower():
            del self.target["board"]
            self.lose("board", board, f"fpga_part is another part than the board's, {self.boards[board]}, and wins")
        if "clock_ns" not in self.target:
            self.target["clock_ns"] = self.fields.clock_ns

    def _take_file(self, key: str, value: Any) -> None:
        path = self.path_of(value) if isinstance(value, str) and value else None
        if path is None:
            self.lose(key, value, "there is no such file beside the configuration")
            return
        if key in self.fields.samples:
            name = self.fields.samples[key]
            if name in self.quality:
                self.lose(key, value, f"quality.{name} is {self.quality[name]} already")
            else:
                self.quality[name] = path
            return
        name = self.fields.files[key]
        readers = [step for step, entry in self._finn_steps() if any(item.name == name for item in entry.inputs)]
        if not readers:
            self.lose(key, value, "no step of the build reads it")
        elif not path.endswith(".json"):
            self.lose(key, value, f"inputs.{name} of {readers[0]} is JSON: convert the file, then name it there")
        else:
            for step in readers:
                self.inputs.setdefault(step, {})[name] = path

    def _finn_steps(self) -> list[tuple[str, EntryDescription]]:
        found = []
        for name, table in self.steps.items():
            entry = table if isinstance(table, str) else str(table.table.entry)
            executor, _, short = entry.rpartition(":")
            if executor.partition("@")[0] == self.fields.executor and short in self.entries:
                found.append((name, self.entries[short]))
        return found

    def _take_parameter(self, key: str, value: Any) -> None:
        readers = [step for step, entry in self._finn_steps() if any(item.name == key for item in entry.parameters)]
        known = next((item for entry in self.entries.values() for item in entry.parameters if item.name == key), None)
        if known is None:
            names = sorted({item.name for entry in self.entries.values() for item in entry.parameters})
            near = nearest(key, [*names, *self.fields.target, *self.fields.files, *self.fields.covered])
            guess = f"; did you mean {near[0]}?" if near else ""
            self.lose(key, value, f"no entry of {self.fields.executor} has it{guess}")
        elif reason := _refusal(known, value):
            self.lose(key, value, reason)
        else:
            self._set_parameter(key, value, readers, is_default=value == known.default)

    def _set_parameter(self, key: str, value: Any, readers: list[str], *, is_default: bool) -> None:
        """Set a parameter for all steps, and for each step to which the flow gives another value."""
        tables = {step: self.steps[step] for step in readers}
        own = [
            step for step, table in tables.items() if isinstance(table, NamedTable) and key in table.table.parameters
        ]
        for step in own:
            self.step_parameters.setdefault(step, {})[key] = value
        if is_default or (readers and len(own) == len(readers)):
            return  # nothing else to set
        if not readers:
            self.change(key, value, "left out: no step of the build reads it")
        else:
            self.parameters[key] = value


def _refusal(parameter: ParameterDescription, value: Any) -> str | None:
    try:
        check_value(parameter, value, parameter.name, {})
    except ConfigError as error:
        options = [
            option
            for item in (parameter.schema, *parameter.schema.get("anyOf", ()))
            for option in item.get("enum", ())
        ]
        listed = f": {', '.join(map(str, options))}" if options else f": {error.message}"
        return f"the entries of this version take other values{listed}"
    return None


def import_finn_config(
    data: Mapping[str, Any],
    fields: FinnFields,
    *,
    flow_steps: FlowSteps,
    entries: Mapping[str, EntryDescription],
    boards: Mapping[str, str],
    path_of: PathOf,
    given: Target,
    flow: str | None,
    stages: Sequence[str],
) -> FinnImport:
    """Import a DataflowBuildConfig's fields, for a model at one of `stages`. Nothing is dropped without a note."""
    steps = choose_steps(data, fields, flow_steps, frozenset(entries), stages=stages, flow=flow)
    importer = _Importer(fields, entries, boards, path_of)
    if steps.listed:
        importer.steps = {step.name: step.entry for step in steps.listed if not step.unknown}
    else:
        importer.steps = {step.name: step for step in flow_steps(steps.flow) if step.name not in steps.remove}
    for key, value in data.items():
        importer.take(str(key), value)
    importer.settle_target(given)
    return FinnImport(
        executor=fields.executor,
        steps=steps,
        target=importer.target,
        quality=importer.quality,
        parameters=importer.parameters,
        step_parameters=importer.step_parameters,
        inputs=importer.inputs,
        notes=(*steps.notes, *importer.notes),
    )
