"""Errors of decoding in the reader's words: the file, the key, its value and the choices. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from bskernel.config.type_words import describe_types, describe_value, suggest_value
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices, nearest

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_PARTS = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")
_WRONG = re.compile(r"Expected `(?P<names>[^`]*)`, got ")


def explain(error: msgspec.ValidationError, data: object, type_: Any, path: Path | str) -> ConfigError:
    """Explain why `data` read from `path` is not of the type."""
    match = _WHERE.match(str(error))
    what = match["what"] if match else str(error)
    where = ((match["path"] if match else None) or "$").removeprefix("$").removeprefix(".")
    unknown, missing, wrong = (pattern.match(what) for pattern in (_UNKNOWN, _MISSING, _WRONG))
    if unknown is not None:
        return _unknown_key(data, type_, path, where, unknown["key"])
    key, value = _locate(data, type_, where)
    place, hint = f"{path}: {key + ': ' if key else ''}", None
    literals = [str(literal) for literal in get_args(_literal_in(_type_at(type_, where)))]
    if missing is not None:
        what = f"the key {missing['key']!r} is missing"
    elif wrong is not None:
        names = wrong["names"].split(" | ")
        what = f"must be {describe_types(names)}, not {describe_value(value)}"
        meant = suggest_value(value, names)
        hint = f"write {key.rpartition('.')[2]} = {meant}" if meant and key and not key.endswith("]") else None
    elif literals:
        what = f"{value!r} is not a choice"
    if literals:
        hint = choices(str(value), literals, "choices")
    elif key and what.partition(" ")[0] in _fields_at(type_, where):
        place = f"{path}: {key}."  # a check of the table that begins with one of its keys
    return ConfigError(f"{place}{what}", hint=hint)


def _unknown_key(data: object, type_: Any, path: Path | str, where: str, key: str) -> ConfigError:
    keys = _fields_at(type_, where)
    name, table = _locate(data, type_, where)
    place = f"[{name}]" if name else "the top level"
    value = table.get(key) if isinstance(table, dict) else None
    near = nearest(key, keys)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    if period := _as_period(key, value, keys):
        guess = f"; did you mean {period}?"
    hint = f"keys of {place}: {', '.join(keys)}" if keys else None
    return ConfigError(f"{path}: unknown key {key!r} at {place}{guess}", hint=hint)


def _as_period(key: str, value: Any, keys: list[str]) -> str | None:
    """A frequency written as the clock period that the table takes; None when it is no such key."""
    if "clock_ns" not in keys or not re.search("mhz|freq", key, re.IGNORECASE):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return "clock_ns (a period: 200 MHz is 5.0)"
    return f"clock_ns = {round(1000 / value, 6)} ({value:g} MHz)"


def _locate(data: object, type_: Any, where: str) -> tuple[str, Any]:
    """The dotted key and the value at a path. msgspec does not say which key of a table: the first wrong one is."""
    key, found = "", data
    for part in _PARTS.findall(where):
        if part == "[...]" and isinstance(found, dict):
            inner = _type_at(type_, "[...]")
            name = next((str(name) for name, value in found.items() if not _fits(value, inner)), "...")
            key, found = f"{key}.{name}" if key else name, found.get(name)
        elif part.startswith("[") and isinstance(found, list | tuple) and part[1:-1].isdigit():
            key, found = f"{key}{part}", found[int(part[1:-1])]
        else:
            key = f"{key}.{part}" if key and not part.startswith("[") else f"{key}{part}"
            found = found.get(part) if isinstance(found, dict) else None
        type_ = _type_at(type_, part)
    return key, found


def _fits(value: Any, type_: Any) -> bool:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True


def _fields_at(type_: Any, where: str) -> list[str]:
    """The field names of the struct at a dotted path."""
    struct = _struct_in(_type_at(type_, where))
    return [field.encode_name for field in msgspec.structs.fields(struct)] if struct else []


def _type_at(type_: Any, where: str) -> Any:
    """The type of the value at a dotted path."""
    for part in _PARTS.findall(where):
        struct = _struct_in(type_)
        if part.startswith("["):
            arguments = [argument for argument in _flat(type_) if get_args(argument)]
            type_ = get_args(arguments[0])[-1] if arguments else None
            if type_ is Ellipsis:
                type_ = get_args(arguments[0])[0]
        elif struct is not None:
            hints = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
            type_ = hints.get(part)
        else:
            type_ = None
    return type_


def _literal_in(type_: Any) -> Any:
    candidates = (type_, *get_args(type_))
    return next((candidate for candidate in candidates if get_origin(candidate) is Literal), None)


def _flat(type_: Any) -> list[Any]:
    origin_arguments = get_args(type_)
    if type_ is not None and origin_arguments and not isinstance(type_, type):
        if getattr(type_, "__origin__", None) in {dict, tuple, list}:
            return [type_]
        return [flat for argument in origin_arguments for flat in _flat(argument)]
    return [type_]


def _struct_in(type_: Any) -> type[msgspec.Struct] | None:
    for candidate in _flat(type_):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    return None
