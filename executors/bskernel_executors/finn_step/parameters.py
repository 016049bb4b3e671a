"""FINN's build configuration: the fields that a build may set, and a configuration that holds one step to them."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from pathlib import Path
from typing import Annotated, Any

import msgspec

from bskernel_executors.sdk import StepFailure, parameter

DEFAULT_FROM = {
    "synth_clk_period_ns": "target.clock_ns",
    "fpga_part": "target.part",
    "board": "target.board",
    "target_fps": "target.target_fps",
}
# Files that a build may give: named inputs of the steps that read them, not paths in the key.
FILES = {
    "folding_config_file": "folding_config",
    "specialize_layers_config_file": "specialize_layers_config",
    "fifo_config_file": "fifo_config",
}
# Where things go and how much is shown is the executor's business.
CONSTANT = frozenset(
    {
        "config_path", "model_path", "output_dir", "generate_outputs", "save_intermediate_models", "verbose", "steps",
        "start_step", "stop_step", "enable_build_pdb_debug", "console_log_level", "enable_exception_snapshots",
    }
)  # fmt: skip


def _simple(hint: Any) -> Any:
    """The type that a build may write for a field's type, or None when it may not be set."""
    if hint in {bool, int, float, str}:
        return hint
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return typing.Literal[tuple(str(member.value) for member in hint)]
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        inner = [argument for argument in typing.get_args(hint) if argument is not type(None)]
        if len(inner) == 1 and (simple := _simple(inner[0])) is not None:
            return simple | None if isinstance(simple, type) else typing.Optional[simple]  # noqa: UP045
    return None


def settable_fields(config: type) -> dict[str, tuple[Any, Any]]:
    """Name -> (type, default) of every field that a build may set; the default is a plain value."""
    hints = typing.get_type_hints(config)
    fields = {}
    for field in dataclasses.fields(config):
        simple = _simple(hints[field.name])
        if simple is None or field.name in CONSTANT | FILES.keys():
            continue
        default = field.default if field.default is not dataclasses.MISSING else msgspec.NODEFAULT
        fields[field.name] = (simple, default.value if isinstance(default, enum.Enum) else default)
    return fields


def parameters_struct(step: str, names: frozenset[str], settable: dict[str, tuple[Any, Any]]) -> type[msgspec.Struct]:
    """The struct of a step's parameters."""
    fields: list[Any] = []
    for name in sorted(names & settable.keys()):
        simple, default = settable[name]
        text = f"DataflowBuildConfig.{name}"
        annotated = Annotated[simple, parameter(text, default_from=DEFAULT_FROM.get(name))]  # type: ignore[valid-type]
        fields.append((name, annotated) if default is msgspec.NODEFAULT else (name, annotated, default))
    return msgspec.defstruct(f"Parameters_{step}", fields, frozen=True, kw_only=True, forbid_unknown_fields=True)


def make_config(
    config: type, values: dict[str, Any], files: dict[str, Path], output: Path, outputs: list[Any]
) -> Any:
    """Make the configuration of one step; reading a settable field that the step does not declare fails."""
    hints = typing.get_type_hints(config)
    settable = settable_fields(config)
    declared = values.keys()
    given = {name: _typed(hints[name], value) for name, value in values.items()}
    for name, (_, default) in settable.items():
        if default is msgspec.NODEFAULT and name not in given:
            given[name] = 0.0  # the constructor asks for it; the guard below keeps it from being read

    def guarded(self: Any, name: str) -> Any:
        if name in settable and name not in declared and object.__getattribute__(self, "_guard"):
            raise StepFailure(
                category="executor",
                message=f"the step reads {name} of FINN's configuration, which its entry does not declare",
                hint="its cache key would miss it: please report this with the step's name",
            )
        return object.__getattribute__(self, name)

    kind = type(config.__name__, (config,), {"_guard": False, "__getattribute__": guarded})
    made = kind(output_dir=str(output), generate_outputs=outputs, save_intermediate_models=False, **given)
    for field, path in files.items():
        object.__setattr__(made, field, str(path))
    object.__setattr__(made, "_guard", True)
    return made


def _typed(hint: Any, value: Any) -> Any:
    for candidate in (hint, *typing.get_args(hint)):
        if isinstance(candidate, type) and issubclass(candidate, enum.Enum) and value is not None:
            return next(member for member in candidate if str(member.value) == value)
    return value
