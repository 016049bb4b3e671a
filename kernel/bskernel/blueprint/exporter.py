"""Exports builds as a Blueprint, and a Blueprint as YAML."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from bskernel.blueprint.fields import FILES, kernels_of, step_of
from bskernel.blueprint.model import Blueprint, Note
from bskernel.blueprint.steps import branching
from bskernel.config import StepOptions, StepTable
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.resolution import edited_flow
from bskernel.flow.selection import position

OUTPUTS = ("estimates", "rtl", "bitfile")
_EXECUTORS = ("brainsmith", "finn-step")
_FILE_OF = {field.name: key for key, field in FILES.items()}


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A build as a blueprint, and notes on what was lost."""

    blueprint: Blueprint
    notes: tuple[Note, ...]


class _Reader:
    """Collects a blueprint's parts from a build, and notes."""

    def __init__(self, loaded: LoadedConfig, known: frozenset[str] | None) -> None:
        self.config = loaded.config
        self.flow, _ = edited_flow(loaded.config, loaded.flow.step, loaded.path)
        self.known = known
        self.notes: list[Note] = []
        self.finn: dict[str, Any] = {}
        self.special: dict[str, Any] = {}
        self.names: dict[str, str] = {}  # step name in the build -> in the blueprint

    def lose(self, where: str, value: Any, why: str) -> None:
        self.notes.append(Note(kind="lost", where=where, value=value, why=why))

    def tables(self) -> None:
        """Everything outside the steps."""
        build, target = self.config.build, self.config.target
        self.lose("build.model", build.model, "Brainsmith takes the model on its command line")
        for key, value, default in (("output", build.output, None), ("salt", build.salt, "")):
            if value != default:
                self.lose(f"build.{key}", value, "a blueprint cannot express it")
        if target.part is not None:
            self.finn["fpga_part"] = target.part
        if target.target_fps is not None:
            self.finn["target_fps"] = target.target_fps
        if self.config.quality.samples is not None:
            self.lose("quality.samples", self.config.quality.samples, "Brainsmith does not judge a network")
        for name, section in self.config.tools.items():
            given = {"path": section.path, **section.versions}
            why = "Brainsmith takes the tools of its own surroundings (XILINX_VIVADO, PATH)"
            self.lose(f"tools.{name}", {key: path for key, path in given.items() if path is not None}, why)
        for name, version in self.config.executors.items():
            self.lose(f"executors.{name}", version, "Brainsmith runs in one environment, the one it is installed in")

    def executor_parameters(self, used: set[str]) -> None:
        """[parameters.EXECUTOR] of executors whose steps a blueprint can name."""
        for executor, values in self.config.parameters.items():
            for key, value in values.items():
                where = f"parameters.{executor}.{key}"
                if executor not in used:
                    self.lose(where, value, f"no step of the blueprint is one of {executor}")
                elif executor == "brainsmith" and key in {"kernels", "output"}:
                    self.special[key] = value
                elif key in self.finn and self.finn[key] != value:
                    self.lose(
                        where, value, f"{key} is already {self.finn[key]!r}, and finn_config applies to all steps"
                    )
                else:
                    self.finn[key] = value

    def steps(self) -> tuple[str, ...]:
        """Names of the steps that a blueprint can name."""
        changes = self.config.step if isinstance(self.config.step, dict) else {}
        of_finn = []
        used = set()
        for step in self.flow:
            table, change = step.table, changes.get(step.name, StepOptions())
            prefix, _, entry = str(change.entry or table.entry).rpartition(":")
            executor, _, version = (change.executor or table.executor or prefix).partition("@")
            name = step_of(executor, entry, step.name)
            why = self._why_not(name, executor, optional=table.optional)
            if name is None or why is not None:
                self.lose(f"step {step.name}", f"{executor}:{entry}", str(why))
                continue
            if executor == "finn-step":
                of_finn.append(name)
            self.names[step.name] = name
            used.add(executor)
            self._options(step.name, table, change, version)
        if of_finn:
            why = "the steps of these names in the FINN that Brainsmith has, which is another than finn-step's"
            self.notes.append(Note(kind="changed", where="steps of finn-step", value=of_finn, why=why))
        self.executor_parameters(used)
        return tuple(self.names.values())

    def ends(self) -> dict[str, str]:
        """start_step and stop_step; a blueprint has no stages of the model."""
        found = {}
        section = self.config.flow
        for key in ("input_type", "output_type"):
            if getattr(section, key) is not None:
                self.lose(f"flow.{key}", getattr(section, key), "a blueprint's range goes from step to step")
        seen = [step.seen for step in self.flow]
        for key, selector in (("start_step", section.first), ("stop_step", section.last)):
            if selector is None:
                continue
            where = "flow.from" if key == "start_step" else "flow.to"
            at = position(str(selector), seen, where)
            kept = self.names.get(self.flow[at].name)
            if kept is None:
                self.lose(where, selector, "the blueprint does not have that step")
            else:
                found[key] = kept
        return found

    def _why_not(self, name: str | None, executor: str, *, optional: bool) -> str | None:
        if name is None:
            return "not one of FINN's steps" if executor in _EXECUTORS else f"Brainsmith has no steps of {executor}"
        if self.known is None:
            return "optional, and whether Brainsmith has it is not known here" if optional else None
        return None if name in self.known else f"Brainsmith has no step {name}"

    def _options(self, own: str, table: StepTable, change: StepOptions, version: str) -> None:
        """Options of one step; a blueprint has them for all steps or not at all."""
        for key, value in {**table.parameters, **change.parameters}.items():
            self.lose(f"step.{own}.parameters.{key}", value, "finn_config applies to all steps")
        for key, value in {**table.inputs, **change.inputs}.items():
            field = _FILE_OF.get(key)
            if field is None or self.finn.get(field, value) != value:
                self.lose(
                    f"step.{own}.inputs.{key}", value, "a blueprint names one folding and one specialization file"
                )
            else:
                self.finn[field] = value
        for limit in ("timeout_s", "memory_mib"):
            value = getattr(change, limit) or getattr(table, limit)
            if value is not None:
                self.lose(f"step.{own}.{limit}", value, "a blueprint cannot express it")
        for tool, number in {**table.tools, **change.tools}.items():
            self.lose(f"step.{own}.tools.{tool}", number, "Brainsmith uses one version of a tool for all steps")
        if version:
            self.lose(
                f"step.{own}.executor", version, "Brainsmith runs in one environment, the one it is installed in"
            )


def export_build(loaded: LoadedConfig, known: frozenset[str] | None = None) -> Exported:
    """One build as a blueprint with a linear list of steps; `known` are Brainsmith's steps, if that is known here.

    Raises ConfigError.
    """
    config = loaded.config
    reader = _Reader(loaded, known)
    reader.tables()
    steps = reader.steps()
    output = reader.special.get("output", "estimates")
    if output not in OUTPUTS:
        raise ConfigError(f"parameters.brainsmith.output = {output!r}", hint=f"one of {', '.join(OUTPUTS)}")
    if output != "estimates" and config.target.board is None:
        reader.lose("parameters.brainsmith.output", output, "Brainsmith refuses it without a board: set target.board")
    blueprint = Blueprint(
        name=loaded.name,
        board=config.target.board,
        clock_ns=config.target.clock_ns,
        output=output,
        finn_config=reader.finn,
        kernels=kernels_of(reader.special.get("kernels"), "parameters.brainsmith.kernels"),
        steps=steps,
        **reader.ends(),
    )
    return Exported(blueprint=blueprint, notes=tuple(reader.notes))


def _common_name(builds: Sequence[Exported]) -> str:
    """The common prefix: names from one import differ in a trailing number."""
    if len(builds) == 1:
        return builds[0].blueprint.name
    letters = zip(*(build.blueprint.name for build in builds), strict=False)
    same = itertools.takewhile(lambda column: len(set(column)) == 1, letters)
    return "".join(column[0] for column in same).rstrip("-._")


def join(builds: Sequence[Exported], names: Sequence[str]) -> Exported:
    """Builds that differ in their steps alone, as one blueprint with branch points. Raises ConfigError."""
    first = builds[0]
    plain = msgspec.structs.replace(first.blueprint, steps=(), name="")
    for other, name in zip(builds[1:], names[1:], strict=True):
        if msgspec.structs.replace(other.blueprint, steps=(), name="") != plain:
            raise ConfigError(f"{name}: differs from {names[0]} in more than its steps: export it separately")
    try:
        steps = branching([tuple(map(str, build.blueprint.steps)) for build in builds])
    except ValueError as error:
        raise ConfigError(f"{', '.join(names)}: {error}") from error
    notes = {str(note): note for build in builds for note in build.notes}
    joined = msgspec.structs.replace(first.blueprint, steps=steps, name=_common_name(builds))
    return Exported(blueprint=joined, notes=tuple(notes.values()))


def to_yaml(blueprint: Blueprint) -> str:
    """The blueprint as Brainsmith reads it. Raises EnvironmentLacking without PyYAML."""
    try:
        import yaml
    except ImportError:
        raise EnvironmentLacking(
            "blueprints are YAML, and PyYAML is not installed", hint="install bskernel[blueprint]"
        ) from None
    data: dict[str, Any] = {
        "name": blueprint.name,
        "description": blueprint.description,
        "board": blueprint.board,
        "clock_ns": blueprint.clock_ns,
        "output": blueprint.output,
        "start_step": blueprint.start_step,
        "stop_step": blueprint.stop_step,
        "finn_config": blueprint.finn_config,
    }
    data = {key: value for key, value in data.items() if value not in (None, "", {})}
    # A single option without brackets, and the skip in quotes: Brainsmith accepts no null there.
    data["design_space"] = {
        "kernels": msgspec.to_builtins(blueprint.kernels),
        "steps": [list(step) if isinstance(step, tuple) else step for step in blueprint.steps],
    }
    text: str = yaml.safe_dump(msgspec.to_builtins(data), sort_keys=False, width=100)
    return text
