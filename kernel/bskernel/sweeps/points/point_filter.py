"""Which points a sweep leaves out: conditions over the keys of the build. Pure.

The grammar is that of gates (comparison.parsing) with keys instead of quantities, and texts.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from bskernel.core.errors import ConfigError
from bskernel.expr.ast import (
    Arithmetic,
    Condition,
    Logical,
    Not,
    Number,
    Quantity,
    Unjudgeable,
    Word,
    calculate,
    quantities_in,
    text_of,
)
from bskernel.expr.parser import ExpressionError, parse

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ValueOf = Callable[[str], Any]


def parse_conditions(texts: str | tuple[str, ...], check: Callable[[str, str], None], where: str) -> list[Condition]:
    """The conditions, whose keys `check` takes. Raises ConfigError."""
    found = []
    for text in (texts,) if isinstance(texts, str) else texts:
        try:
            condition = parse(text, keys=True)
        except ExpressionError as error:
            raise ConfigError(f"{where}: {text!r}: {error}") from error
        for quantity in quantities_in(condition):
            check(quantity.name, f"{where}: {text!r}")
        found.append(condition)
    return found


def holds(condition: Condition, value_of: ValueOf, where: str) -> bool:
    """Does it hold of these values? A key that has none equals nothing.

    Raises ConfigError where it cannot be said: to order or to compute with what is no number.
    """
    if isinstance(condition, Not):
        return not holds(condition.operand, value_of, where)
    if isinstance(condition, Logical):
        if holds(condition.left, value_of, where) == (condition.operator == "or"):
            return condition.operator == "or"
        return holds(condition.right, value_of, where)
    try:
        if condition.operator in _ORDER:
            left, right = (_number(side, value_of) for side in (condition.left, condition.right))
            return _ORDER[condition.operator](left, right)
        left, right = (_value(side, value_of) for side in (condition.left, condition.right))
    except Unjudgeable as error:
        raise ConfigError(f"{where}: {text_of(condition)!r}: {error}") from error
    return (_equal(left, right)) == (condition.operator == "==")


def _equal(left: Any, right: Any) -> bool:
    # To Python true is 1.
    return left is not None and isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _value(node: Arithmetic, value_of: ValueOf) -> Any:
    if isinstance(node, Quantity):
        return value_of(node.name)
    if isinstance(node, Word):
        return node.value
    return _number(node, value_of)


def _number(node: Arithmetic, value_of: ValueOf) -> float:
    def number_of(quantity: Quantity) -> float:
        value = value_of(quantity.name)
        if value is None:
            raise Unjudgeable(f"{quantity.name} is not set")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unjudgeable(f"{quantity.name} is {value!r}, which is no number")
        return value

    return node.value if isinstance(node, Number) else calculate(node, number_of)
