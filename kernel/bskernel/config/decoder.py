"""Strict decoding of files that people write. Errors name the file, the key and the choices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from bskernel.core.errors import ConfigError

T = TypeVar("T")
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")


def convert(data: object, type_: type[T], path: Path | str) -> T:
    """Decode `data` read from `path`. Raises ConfigError naming file, key and choices."""
    try:
        return msgspec.convert(data, type_)
    except msgspec.ValidationError as error:
        match = _WHERE.match(str(error))
        what = match["what"] if match else str(error)
        where = ((match["path"] if match else None) or "$").removeprefix("$").removeprefix(".")
        unknown = _UNKNOWN.match(what)
        if unknown is None:
            literals = [str(value) for value in get_args(_literal_in(_type_at(type_, where)))]
            hint = f"choices: {', '.join(literals)}" if literals else None
            raise ConfigError(f"{path}: {where + ': ' if where else ''}{what}", hint=hint) from error
        import difflib

        key = unknown["key"]
        choices = _fields_at(type_, where)
        near = difflib.get_close_matches(key, choices, n=1)
        place = f"[{where}]" if where else "the top level"
        hint = f"keys of {place}: {', '.join(choices)}" if choices else None
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{path}: unknown key {key!r} at {place}{guess}", hint=hint) from error


def _fields_at(type_: Any, where: str) -> list[str]:
    """The field names of the struct at a dotted path."""
    struct = _struct_in(_type_at(type_, where))
    return [field.encode_name for field in msgspec.structs.fields(struct)] if struct else []


def _type_at(type_: Any, where: str) -> Any:
    """The type of the value at a dotted path."""
    for part in [part for part in re.split(r"\.|(?=\[)", where) if part]:
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
