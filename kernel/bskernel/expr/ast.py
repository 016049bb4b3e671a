"""The syntax tree of a condition: its nodes, its text and its value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

import msgspec

Side: TypeAlias = Literal["base", "new"]


class Unjudgeable(Exception):  # noqa: N818 - reported as a verdict
    """The values give no answer: a division by 0, a result that is not finite, a text where a number is needed."""


class Number(msgspec.Struct, frozen=True, tag="Number"):
    """A number, not negative."""

    value: float


class Word(msgspec.Struct, frozen=True, tag="Word"):
    """A text, or true or false: what a key of a build may be beside a number."""

    value: str | bool


class Quantity(msgspec.Struct, frozen=True, tag="Quantity"):
    """A name: a quantity of one of the builds, without a stage at the latest that fits; or a key of a build."""

    side: Side
    name: str
    stage: str | None = None
    column: int = 0  # where it is in the text, from 1


class Negative(msgspec.Struct, frozen=True, tag="Negative"):
    """Minus something."""

    operand: Arithmetic


class Operation(msgspec.Struct, frozen=True, tag="Operation"):
    """+ - * or / of two numbers."""

    operator: str
    left: Arithmetic
    right: Arithmetic


class Relation(msgspec.Struct, frozen=True, tag="Comparing"):
    """< <= > >= == or != of two values."""

    operator: str
    left: Arithmetic
    right: Arithmetic


class Not(msgspec.Struct, frozen=True, tag="Not"):
    """True when its operand is false."""

    operand: Condition


class Logical(msgspec.Struct, frozen=True, tag="Logical"):
    """`and` or `or` of two conditions."""

    operator: str
    left: Condition
    right: Condition


Arithmetic: TypeAlias = Number | Word | Quantity | Negative | Operation
Condition: TypeAlias = Relation | Not | Logical
Node: TypeAlias = Arithmetic | Condition

# How strongly each binds: what is below it in a tree and binds less needs parentheses.
OR, AND, NOT, RELATION, SUM, PRODUCT, SIGN = range(1, 8)
BINDING = {
    "or": OR,
    "and": AND,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), RELATION),
    **dict.fromkeys("+-", SUM),
    **dict.fromkeys("*/", PRODUCT),
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def children(node: Node) -> tuple[Node, ...]:
    """What a node is made of."""
    if isinstance(node, Negative | Not):
        return (node.operand,)
    if isinstance(node, Operation | Relation | Logical):
        return (node.left, node.right)
    return ()


def quantities_in(node: Node) -> Iterator[Quantity]:
    """Every quantity, from left to right."""
    if isinstance(node, Quantity):
        yield node
    for child in children(node):
        yield from quantities_in(child)


def named(quantity: Quantity) -> str:
    """A quantity as it is written."""
    stage = f"@{quantity.stage}" if quantity.stage else ""
    return f"{'base.' if quantity.side == 'base' else ''}{quantity.name}{stage}"


def _quoted(text: str) -> str:
    # A text that was parsed holds one kind of quotes at most.
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{quote}"


def text_of(node: Node, show: Callable[[Quantity], str] = named) -> str:
    """The expression as text, which parses to the same; `show` says how quantities are written."""

    def write(node: Node, least: int) -> str:
        if isinstance(node, Number):
            return repr(node.value).removesuffix(".0")
        if isinstance(node, Word):
            return _quoted(node.value) if isinstance(node.value, str) else str(node.value).lower()
        if isinstance(node, Quantity):
            return show(node)
        if isinstance(node, Negative | Not):
            binds, sign = (SIGN, "-") if isinstance(node, Negative) else (NOT, "not ")
            text = f"{sign}{write(node.operand, binds)}"
        else:
            binds = BINDING[node.operator]
            # Of equals the left one comes first, so only a right one needs parentheses; comparisons do not chain.
            left = write(node.left, binds + 1 if binds == RELATION else binds)
            text = f"{left} {node.operator} {write(node.right, binds + 1)}"
        return f"({text})" if binds < least else text

    return write(node, 0)


def calculate(node: Arithmetic, value_of: Callable[[Quantity], Any]) -> float:
    """Return the number that an expression gives; `value_of` returns None for a name without a value.

    Raises Unjudgeable.
    """
    if isinstance(node, Word):
        raise Unjudgeable(f"{text_of(node)} is not a number")
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Quantity):
        return _number(named(node), value_of(node))
    if isinstance(node, Negative):
        return -calculate(node.operand, value_of)
    left, right = calculate(node.left, value_of), calculate(node.right, value_of)
    try:
        value = _ARITHMETIC[node.operator](left, right)
        finite = math.isfinite(value)
    except ZeroDivisionError:
        raise Unjudgeable(f"{text_of(node.right)} is 0, and is divided by") from None
    except OverflowError:  # of integers, which keys of a build may be
        finite = False
    if not finite:
        raise Unjudgeable(f"{text_of(node)} is too large for a number")
    return value


def _number(name: str, value: Any) -> float:
    if value is None:
        raise Unjudgeable(f"{name} is not set")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unjudgeable(f"{name} is {value!r}, which is not a number")
    return value


def is_true(node: Condition, value_of: Callable[[Quantity], Any]) -> bool:
    """Return whether the condition holds; `and` and `or` look at their right side only when it matters.

    A name without a value (`value_of` returns None) equals nothing, not even itself. Raises Unjudgeable.
    """
    if isinstance(node, Not):
        return not is_true(node.operand, value_of)
    if isinstance(node, Logical):
        if is_true(node.left, value_of) == (node.operator == "or"):
            return node.operator == "or"
        return is_true(node.right, value_of)
    if node.operator in _ORDER:
        return _ORDER[node.operator](calculate(node.left, value_of), calculate(node.right, value_of))
    return _equal(_value(node.left, value_of), _value(node.right, value_of)) == (node.operator == "==")


def _value(node: Arithmetic, value_of: Callable[[Quantity], Any]) -> Any:
    if isinstance(node, Quantity):
        return value_of(node)
    return node.value if isinstance(node, Word) else calculate(node, value_of)


def _equal(left: Any, right: Any) -> bool:
    # To Python true is 1.
    return left is not None and isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
