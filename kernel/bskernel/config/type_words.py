"""Types and values of TOML in the reader's words. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

# The names that msgspec and JSON Schema give to types.
_WORDS = {
    "int": "a whole number, such as 100_000",
    "integer": "a whole number, such as 100_000",
    "float": "a number, such as 5.0",
    "number": "a number, such as 5.0",
    "str": "a text in quotes",
    "string": "a text in quotes",
    "bool": "true or false",
    "boolean": "true or false",
    "array": "a list, such as [1, 2]",
    "object": "a table, such as { key = 1 }",
}
_NONE = frozenset({"null", "None"})
_LONGEST = 60  # characters of a value in a message


def describe_types(names: Iterable[str]) -> str:
    """What a key takes, from the names of its types; null is left out, since TOML has none."""
    words = list(dict.fromkeys(_WORDS.get(name, name) for name in names if name not in _NONE))
    if {_WORDS["int"], _WORDS["float"]} <= set(words):
        words.remove(_WORDS["int"])
    return " or ".join(words)


def describe_value(value: Any) -> str:
    """A value as TOML writes it, with its kind."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {_short(repr(value))}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, which is no number" if math.isnan(value) else f"{value}, which is infinite"
    if isinstance(value, int | float):
        return f"the number {value}" if isinstance(value, int) else f"the decimal number {value}"
    if isinstance(value, dict):
        return f"a table ({_short(', '.join(map(str, value)))})"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"the {type(value).__name__} {_short(str(value))}"


def suggest_value(value: Any, names: Iterable[str]) -> str | None:
    """The value that was probably meant, as TOML writes it; None without one."""
    wanted = set(names)
    text = value.strip() if isinstance(value, str) else value
    if wanted & {"int", "integer"} and not isinstance(value, bool):
        try:
            number = float(str(text).replace("_", "").replace(",", ""))
        except ValueError:
            number = math.nan
        if number.is_integer() and abs(number) < 1e15:
            return f"{int(number):_}"
    if wanted & {"float", "number"} and isinstance(text, str):
        try:
            number = float(text)
        except ValueError:
            return None
        return repr(number) if math.isfinite(number) else None
    if wanted & {"bool", "boolean"} and str(text).lower() in {"true", "false", "1", "0"}:
        return "true" if str(text).lower() in {"true", "1"} else "false"
    if wanted & {"str", "string"} and isinstance(value, int | float) and not isinstance(value, bool):
        return f'"{value}"'
    return None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
