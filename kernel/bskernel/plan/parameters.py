"""Which value each parameter of a step has, and whether it may have it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription, ParameterDescription

from bskernel.config import Config
from bskernel.core.catalogue import Executors
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices


class Origins(msgspec.Struct, frozen=True, kw_only=True):
    """What a step's parameters come from, beside the build's values and those for its executor."""

    entry: EntryDescription
    executor: str  # whose [parameters.EXECUTOR] count
    table: str  # whose [step.NAME] is in `own`
    own: dict[str, Any]
    plan: dict[str, Any]  # what the plan itself says, such as "plan.stage"
    where: str

    def resolve(self, executor_wide: Mapping[str, Any], build: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters, as `resolve_parameters` gives them."""
        return resolve_parameters(self.entry, executor_wide, self.own, {**build, **self.plan}, self.where)


def check_executor_parameters(config: Config, executors: Executors, path: Path) -> None:
    """Every key of [parameters.EXECUTOR] is a parameter of one of its entries, else ConfigError."""
    for name, values in config.parameters.items():
        where = f"{path}: [parameters.{name}]"
        if name not in executors.names():
            raise ConfigError(
                f"{where}: unknown executor {name!r}", hint=choices(name, executors.names(), "executors")
            )
        executors.check_described(name, "", where)
        known = {
            parameter.name
            for info in executors.known
            if info.name == name
            for entry in info.catalogue.entries
            for parameter in entry.parameters
        }
        for key in values:
            if key not in known:
                raise ConfigError(
                    f"{where}: no entry of {name} has the parameter {key!r}",
                    hint=choices(key, sorted(known), "parameters"),
                )
    for name in config.executors:
        executors.resolve(name, config.executors, f"{path}: [executors]")


def resolve_parameters(
    entry: EntryDescription,
    executor_wide: Mapping[str, Any],
    own: Mapping[str, Any],
    build: Mapping[str, Any],
    where: str,
) -> dict[str, Any]:
    """The parameters that differ from the entry's defaults: the step's own, then its executor's, then the build's.

    Raises ConfigError for an unknown name, a value that the parameter's schema refuses, or a missing required one.
    """
    declared = {parameter.name: parameter for parameter in entry.parameters}
    for name in own:
        if name not in declared:
            raise ConfigError(
                f"{where}: {entry.name} has no parameter {name!r}",
                hint=choices(name, list(declared), "parameters"),
            )
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        if name in own:
            value, origin = own[name], f"{where}: parameters.{name}"
        elif name in executor_wide:
            value, origin = executor_wide[name], f"{where}: [parameters] {name}"
        elif parameter.default_from in build:
            value, origin = build[str(parameter.default_from)], f"{where}: {parameter.default_from}"
        elif parameter.required:
            source = f" or {parameter.default_from}" if parameter.default_from else ""
            raise ConfigError(f"{where}: {entry.name} needs the parameter {name!r}{source}", hint=parameter.help)
        else:
            continue
        value = _checked(parameter, value, origin)
        if parameter.required or value != parameter.default:
            values[name] = value
    return values


# What a schema that says nothing else allows; a bool is no number, though Python takes it for one.
_PLAIN: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def _plainly_fits(schema: Mapping[str, Any], value: Any) -> bool:
    """Is it seen at a glance that the value fits? Most are, and to compile a schema takes milliseconds."""
    if schema.keys() == {"anyOf"}:
        return any(_plainly_fits(option, value) for option in schema["anyOf"])
    if schema.keys() == {"type", "items"} and schema["type"] == "array":
        return isinstance(value, list | tuple) and all(_plainly_fits(schema["items"], item) for item in value)
    return schema.keys() == {"type"} and str(schema["type"]) in _PLAIN and _PLAIN[schema["type"]](value)


@functools.lru_cache(maxsize=256)
def _compiled(schema: bytes) -> Callable[[Any], Any]:
    import fastjsonschema

    check: Callable[[Any], Any] = fastjsonschema.compile(msgspec.json.decode(schema))
    return check


def _checked(parameter: ParameterDescription, value: Any, where: str) -> Any:
    if not _plainly_fits(parameter.schema, value):
        import fastjsonschema

        try:
            _compiled(msgspec.json.encode(parameter.schema, order="sorted"))(value)
        except fastjsonschema.JsonSchemaException as error:
            text = str(error).removeprefix("data ")
            raise ConfigError(f"{where} = {value!r}: {text}", hint=parameter.help) from error
    # A whole number given for a float must have one form in the key: 5 and 5.0 are the same clock.
    if isinstance(value, int) and not isinstance(value, bool) and _only_float(parameter.schema):
        return float(value)
    return value


def _only_float(schema: Mapping[str, Any]) -> bool:
    kinds = {schema.get("type")} | {option.get("type") for option in schema.get("anyOf", [])}
    return "number" in kinds and "integer" not in kinds
