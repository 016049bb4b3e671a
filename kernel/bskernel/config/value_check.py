"""What no value of a configuration may be, whatever its key. Pure."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, TypeAlias

from bskernel.core.errors import ConfigError

_DEEPEST = 50  # tables and lists in one another; flows and parameters need fewer than ten
_MOST = 1_000_000  # values; aliases of YAML make as many of a few lines as one likes
_LARGEST = 2**63  # whole numbers are below: what is written for executors has 64 bits
_LONGEST = 60  # characters of a key in a message
_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_IN_KEY = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_Place: TypeAlias = "tuple[_Place, str | int] | None"  # the place of the table or list, and the key or index in it


def check_values(data: Any, path: Path | str) -> ConfigError | None:
    """Raise ConfigError for what nests too deep, and for control characters: no file, step or parameter is called so.

    Returns the error of the first number that is infinite, no number, or has more than 64 bits: to be raised unless
    the key's own type says better what it takes. Does not recurse.
    """
    waiting: list[tuple[_Place, Any, int]] = [(None, data, 0)]
    count, wrong = 0, None
    while waiting:
        place, value, depth = waiting.pop()
        count += 1
        kind = type(value)
        if kind is str:
            if found := _IN_TEXT.search(value):
                raise _error(path, place, f"the text has the control character U+{ord(found[0]):04X}")
        elif kind is dict:
            if depth > _DEEPEST or count > _MOST:
                raise _too_much(path, place, depth)
            for name, inner in value.items():
                if type(name) is str and _IN_KEY.search(name):
                    raise _error(path, (place, name), "the key has a control character")
                waiting.append(((place, name), inner, depth + 1))
        elif kind is list or kind is tuple:
            if depth > _DEEPEST or count > _MOST:
                raise _too_much(path, place, depth)
            waiting += [((place, at), inner, depth + 1) for at, inner in enumerate(value)]
        elif kind is float and not math.isfinite(value):
            wrong = _error(path, place, f"must be a finite number, not {value}")
        elif kind is int and not -_LARGEST <= value < _LARGEST:
            digits = int(value.bit_length() * math.log10(2)) + 1
            wrong = _error(path, place, f"the number has {digits} digits, and at most 18 are possible")
    return wrong


def _too_much(path: Path | str, place: _Place, depth: int) -> ConfigError:
    if depth > _DEEPEST:
        return _error(path, place, f"tables and lists nest more than {_DEEPEST} deep")
    return _error(path, place, f"there are more than {_MOST:,} values")


def _error(path: Path | str, place: _Place, what: str) -> ConfigError:
    key = ""
    while place is not None:
        place, part = place
        key = f"[{part}]{key}" if isinstance(part, int) else f".{part}{key}"
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in key.removeprefix("."))
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return ConfigError(f"{path}: {shown + ': ' if shown else ''}{what}")
