"""Shortcuts through QONNX's data types: integers are found by name, and numbers compared with them, at once.

FINN asks of each threshold by itself whether a type has it, and of one type after another whether it has a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_WIDEST = 64  # bits, of the types that QONNX tries


def resolve_integers(by_qonnx: Callable[[Any], Any], integer: Callable[[int, bool], Any]) -> Callable[[Any], Any]:
    """Make the replacement of resolve_datatype; `integer` is IntType (width in bits, whether it is signed)."""
    widths = {
        f"{prefix}{width}": (width, signed)
        for prefix, signed in (("INT", True), ("UINT", False))
        for width in range(1, _WIDEST + 1)
    }

    def resolve_datatype(name: Any) -> Any:
        known = widths.get(name) if type(name) is str else None
        return by_qonnx(name) if known is None else integer(*known)

    return resolve_datatype


def allow_numbers(by_qonnx: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make the replacement of IntType.allowed, whose answer for one float needs no arrays."""
    import numpy as np

    no, yes = np.bool_(False), np.bool_(True)

    def allowed(integer: Any, value: Any) -> Any:
        if type(value) is not float:
            return by_qonnx(integer, value)
        return yes if integer.min() <= value <= integer.max() and value.is_integer() else no

    return allowed
