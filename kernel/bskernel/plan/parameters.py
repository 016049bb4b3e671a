"""Resolves and checks the parameters of steps. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription, ParameterDescription

from bskernel.config import Config
from bskernel.core.catalogue import Executors
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.plan.target import BOARDS, PART, explain_form, explain_no_part


class Origins(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of a step's parameters other than the build's values and [parameters.EXECUTOR]."""

    entry: EntryDescription
    executor: str  # whose [parameters.EXECUTOR] applies
    table: str  # the step whose [step.NAME] is in `own`
    own: dict[str, Any]
    plan: dict[str, Any]  # values of the plan itself, e.g. "plan.stage"
    where: str

    def resolve(self, executor_wide: Mapping[str, Any], build: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters, as `resolve_parameters` returns them."""
        return resolve_parameters(self.entry, executor_wide, self.own, {**build, **self.plan}, self.where)


def check_executor_parameters(config: Config, executors: Executors, path: Path) -> None:
    """Raise ConfigError for a key of [parameters.EXECUTOR] that is a parameter of none of its entries."""
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
                listed = f"; `bskernel steps {name}` lists them"
                raise ConfigError(
                    f"{where}: no entry of {name} has the parameter {key!r}",
                    hint=choices(key, sorted(known), "parameters") + listed,
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
    """The parameters that differ from the entry's defaults: the step's own, else its executor's, else the build's.

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
            if parameter.default_from == PART:
                raise ConfigError(
                    f"{where} needs an FPGA part, but the build has no target",
                    hint=explain_no_part(build.get(BOARDS, {})),
                )
            raise ConfigError(f"{where}: {entry.name} needs the parameter {name!r}{source}", hint=parameter.help)
        else:
            continue
        value = check_value(parameter, value, origin, build.get(BOARDS, {}))
        if parameter.required or value != parameter.default:
            values[name] = value
    return values


# Checks for schemas with a type only; a bool is not a number here, unlike in Python.
_PLAIN: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


_NOTES = frozenset({"examples", "title", "description"})  # keywords of a schema that refuse no value


def _plainly_fits(schema: Mapping[str, Any], value: Any) -> bool:
    """True when the value obviously fits; compiling a schema takes milliseconds, and most values need none."""
    if schema.keys() == {"anyOf"}:
        return any(_plainly_fits(option, value) for option in schema["anyOf"])
    if schema.keys() == {"type", "items"} and schema["type"] == "array":
        return isinstance(value, list | tuple) and all(_plainly_fits(schema["items"], item) for item in value)
    if schema.keys() - _NOTES == {"type", "pattern"}:
        return isinstance(value, str) and re.search(schema["pattern"], value) is not None
    return schema.keys() == {"type"} and str(schema["type"]) in _PLAIN and _PLAIN[schema["type"]](value)


@functools.lru_cache(maxsize=256)
def _compiled(schema: bytes) -> Callable[[Any], Any]:
    import fastjsonschema

    # Defaults would be written into the value, which messages show and keys hold.
    check: Callable[[Any], Any] = fastjsonschema.compile(msgspec.json.decode(schema), use_default=False)
    return check


def check_value(parameter: ParameterDescription, value: Any, where: str, boards: Mapping[str, str]) -> Any:
    """The value in the one form that the key has. Raises ConfigError, naming `where`, if its schema refuses it."""
    if not _plainly_fits(parameter.schema, value):
        import fastjsonschema

        try:
            _compiled(msgspec.json.encode(parameter.schema, order="sorted"))(value)
        except fastjsonschema.JsonSchemaException as error:
            raise _refusal(parameter, value, f"{where} = {value!r}", str(error), boards) from error
    # A float parameter has one form in the key: 5 and 5.0 are the same clock.
    if isinstance(value, int) and not isinstance(value, bool) and _only_float(parameter.schema):
        return float(value)
    return value


def _refusal(
    parameter: ParameterDescription, value: Any, where: str, reason: str, boards: Mapping[str, str]
) -> ConfigError:
    """The error for a value that the schema refuses, for `reason`."""
    from bskernel.config.type_words import describe_types, suggest_value

    options = [parameter.schema, *parameter.schema.get("anyOf", ())]
    names = [str(option["type"]) for option in options if "type" in option]
    form = next((option for option in options if "pattern" in option), None)
    if form is not None and isinstance(value, str):
        if parameter.default_from == PART:
            kind = form.get("title", "FPGA part")
            hint = explain_form(value, kind, form.get("examples", ()), boards)
            return ConfigError(f"{where} is no {kind}", hint=hint)
        return ConfigError(f"{where}: {reason.removeprefix('data ')}", hint=parameter.help)
    if names and not any(_PLAIN[name](value) for name in names if name in _PLAIN):
        meant = suggest_value(value, names)
        hint = f"write {meant}: {parameter.help}" if meant else parameter.help
        return ConfigError(f"{where}: must be {describe_types(names)}", hint=hint)
    tables = (*options, *parameter.schema.get("$defs", {}).values())
    table = next((option for option in tables if "properties" in option), None)
    if table is not None and isinstance(value, dict):
        known = list(table["properties"])
        unknown = [key for key in value if key not in known]
        if unknown:
            return ConfigError(f"{where}: unknown key {unknown[0]!r}", hint=choices(unknown[0], known, "keys"))
        return ConfigError(f"{where}: {reason.replace('data.', '', 1)}", hint=parameter.help)
    return ConfigError(f"{where}: {reason.removeprefix('data ')}", hint=parameter.help)


def _only_float(schema: Mapping[str, Any]) -> bool:
    kinds = {schema.get("type")} | {option.get("type") for option in schema.get("anyOf", [])}
    return "number" in kinds and "integer" not in kinds
