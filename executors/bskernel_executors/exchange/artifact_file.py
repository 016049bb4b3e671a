"""Read a file strictly: an error names the file, the key, and what is expected there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.sdk import StepFailure

ShapeT = TypeVar("ShapeT")
# As msgspec words its errors.
_ERROR = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<key>[^`]*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<problem>contains unknown|missing required) field `(?P<name>[^`]*)`")
_PART = re.compile(r"(?P<name>[^.\[\]]+)|\[[^\]]*\]")


def read_artifact(
    path: Path,
    decoder: msgspec.json.Decoder[ShapeT],
    name: str,
    *,
    writer: str,
    category: FailureCategory = "config",
) -> ShapeT:
    """Decode a JSON file as the decoder's type.

    `name` is what errors call the file, `writer` the entry that writes it.
    Raises StepFailure (`category`) when the file cannot be read or does not fit the type.
    """
    try:
        return decoder.decode(path.read_bytes())
    except OSError as error:
        raise StepFailure(
            category=category,
            message=f"{name}: the file cannot be read: {error.strerror}",
            hint=f"{writer} writes this file",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message, choices = _explain(str(error), decoder.type)
        raise StepFailure(
            category=category, message=f"{name}: {message}", hint=f"{writer} writes this file{choices}"
        ) from error


def _explain(text: str, shape: Any) -> tuple[str, str]:
    """The problem with its key, and the keys that are expected at that place."""
    match = _ERROR.fullmatch(text)
    what, key = (match["what"], match["key"] or "") if match is not None else (text, "")
    field = _FIELD.fullmatch(what)
    if field is None:
        return (f"{key}: " if key else "") + what[:1].lower() + what[1:], ""
    full = f"{key}.{field['name']}" if key else field["name"]
    problem = "unknown key" if field["problem"].startswith("contains") else "missing key"
    names = ", ".join(_keys_at(shape, key))
    return f"{problem} {full!r}", f"; expected keys{f' of {key}' if key else ''}: {names}"


def _keys_at(shape: Any, key: str) -> list[str]:
    """The keys of the object at a dotted place inside a type."""
    for part in _PART.finditer(key):
        if part["name"] is not None:
            shape = {field.encode_name: field.type for field in msgspec.structs.fields(_struct(shape))}[part["name"]]
        else:
            container = next(option for option in _options(shape) if get_origin(option) in {dict, tuple, list})
            shape = get_args(container)[1 if get_origin(container) is dict else 0]
    return [field.encode_name for field in msgspec.structs.fields(_struct(shape))]


def _options(shape: Any) -> list[Any]:
    """The members of a union, or the type itself."""
    if get_origin(shape) in {dict, tuple, list} or not get_args(shape):
        return [shape]
    return list(get_args(shape))


def _struct(shape: Any) -> type[msgspec.Struct]:
    return next(
        option for option in _options(shape) if isinstance(option, type) and issubclass(option, msgspec.Struct)
    )
