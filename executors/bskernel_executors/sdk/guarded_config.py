"""Guard a library's configuration (a dataclass): a step that reads a field which it does not declare fails.

The fields that a step reads are its parameters, so they enter its cache key. A field that it read without declaring
it would be missing from the key.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from bskernel_executors.sdk.parameters import parameter
from bskernel_executors.sdk.step import StepFailure

Settable = dict[str, tuple[Any, Any]]  # field name -> (type, default)


def _simple(hint: Any) -> Any:
    """The type that a build may write for a field's type, or None if a build cannot set it."""
    if hint in {bool, int, float, str}:
        return hint
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return typing.Literal[tuple(str(member.value) for member in hint)]
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        inner = [argument for argument in typing.get_args(hint) if argument is not type(None)]
        if len(inner) == 1 and (simple := _simple(inner[0])) is not None:
            return simple | None if isinstance(simple, type) else typing.Optional[simple]  # noqa: UP045
    return None


@functools.cache
def _hints(config: type) -> dict[str, Any]:
    """The types of the configuration's fields; a library's take long to evaluate."""
    return typing.get_type_hints(config)


def settable_fields(config: type, without: Collection[str]) -> Settable:
    """Return type and default of every field of a simple type; an enum's default becomes its value."""
    hints = _hints(config)
    fields = {}
    for field in dataclasses.fields(config):
        simple = _simple(hints[field.name])
        if simple is None or field.name in without:
            continue
        default = field.default if field.default is not dataclasses.MISSING else msgspec.NODEFAULT
        fields[field.name] = (simple, default.value if isinstance(default, enum.Enum) else default)
    return fields


def parameters_struct(
    step: str,
    names: Collection[str],
    settable: Settable,
    *,
    of: str,
    default_from: Mapping[str, str],
    required: Mapping[str, Any] = MappingProxyType({}),
) -> type[msgspec.Struct]:
    """Define the struct of a step's parameters; `of` names the configuration in their help.

    `required` maps fields that have no default here, whatever the configuration says, to their types.
    """
    fields: list[Any] = []
    for name in sorted(names & settable.keys()):
        simple, default = (required[name], msgspec.NODEFAULT) if name in required else settable[name]
        annotated = Annotated[simple, parameter(f"{of}.{name}", default_from=default_from.get(name))]  # type: ignore[valid-type]
        fields.append((name, annotated) if default is msgspec.NODEFAULT else (name, annotated, default))
    return msgspec.defstruct(f"Parameters_{step}", fields, frozen=True, kw_only=True, forbid_unknown_fields=True)


@functools.cache
def guarded_class(config: type) -> type:
    """Return the class of guarded instances.

    Cached, since libraries generate code for every subclass. Call it at import, so that forked children inherit it.
    """

    def read(self: Any, name: str) -> Any:
        if name in object.__getattribute__(self, "_refused"):
            raise StepFailure(
                category="executor",
                message=f"the step reads {name} of {object.__getattribute__(self, '_what')}, "
                "which its entry does not declare",
                hint="its cache key would not include it; please report this with the step's name",
            )
        return object.__getattribute__(self, name)

    return type(config.__name__, (config,), {"_refused": frozenset(), "_what": "", "__getattribute__": read})


def make_guarded(
    config: type, given: Mapping[str, Any], guarded: Collection[str], *, always: Mapping[str, Any], what: str
) -> Any:
    """Make an instance with the `given` and `always` values. Reading a `guarded` field that is not given fails.

    `what` names the configuration in the failure, a StepFailure (executor).
    """
    kind, hints = guarded_class(config), _hints(config)
    values = {name: _typed(hints[name], value) for name, value in given.items()}
    for field in dataclasses.fields(config):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in {*values, *always}:
            values[field.name] = 0.0  # the constructor requires it; the guard prevents reads
    made = kind(**always, **values)
    object.__setattr__(made, "_what", what)
    object.__setattr__(made, "_refused", frozenset(guarded) - given.keys())
    return made


def _typed(hint: Any, value: Any) -> Any:
    for candidate in (hint, *typing.get_args(hint)):
        if isinstance(candidate, type) and issubclass(candidate, enum.Enum) and value is not None:
            return next(member for member in candidate if str(member.value) == value)
    return value
