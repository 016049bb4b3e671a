"""What a gate's expression is made of, as text, and its value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import msgspec

Side: TypeAlias = Literal["base", "new"]


class Unjudgeable(Exception):  # noqa: N818 - told as a verdict
    """The numbers are there, but give no answer: a division by 0, a result that is no finite number."""


class Number(msgspec.Struct, frozen=True, tag=True):
    """A number, not negative."""

    value: float


class Word(msgspec.Struct, frozen=True, tag=True):
    """A text, or true or false, where keys are compared instead of quantities."""

    value: str | bool


class Quantity(msgspec.Struct, frozen=True, tag=True):
    """A quantity of one of the builds; without a stage, at the latest that fits."""

    side: Side
    name: str
    stage: str | None = None
    column: int = 0  # where it stands in the text, from 1


class Negative(msgspec.Struct, frozen=True, tag=True):
    """Minus something."""

    operand: Arithmetic


class Operation(msgspec.Struct, frozen=True, tag=True):
    """+ - * or / of two numbers."""

    operator: str
    left: Arithmetic
    right: Arithmetic


class Comparing(msgspec.Struct, frozen=True, tag=True):
    """< <= > >= == or != of two numbers."""

    operator: str
    left: Arithmetic
    right: Arithmetic


class Not(msgspec.Struct, frozen=True, tag=True):
    """True when its operand is false."""

    operand: Condition


class Logical(msgspec.Struct, frozen=True, tag=True):
    """`and` or `or` of two conditions."""

    operator: str
    left: Condition
    right: Condition


Arithmetic: TypeAlias = Number | Word | Quantity | Negative | Operation
Condition: TypeAlias = Comparing | Not | Logical
Node: TypeAlias = Arithmetic | Condition

# How strongly each binds: what is below it in a tree and binds less needs parentheses.
OR, AND, NOT, COMPARING, SUM, PRODUCT, SIGN = range(1, 8)
BINDING = {
    "or": OR,
    "and": AND,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARING),
    **dict.fromkeys("+-", SUM),
    **dict.fromkeys("*/", PRODUCT),
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def children(node: Node) -> tuple[Node, ...]:
    """What a node is made of."""
    if isinstance(node, Negative | Not):
        return (node.operand,)
    if isinstance(node, Operation | Comparing | Logical):
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


def text_of(node: Node, show: Callable[[Quantity], str] = named) -> str:
    """The expression as text, which parses to the same; `show` says how quantities are written."""

    def write(node: Node, least: int) -> str:
        if isinstance(node, Number):
            return repr(node.value).removesuffix(".0")
        if isinstance(node, Word):
            return f'"{node.value}"' if isinstance(node.value, str) else str(node.value).lower()
        if isinstance(node, Quantity):
            return show(node)
        if isinstance(node, Negative | Not):
            binds, sign = (SIGN, "-") if isinstance(node, Negative) else (NOT, "not ")
            text = f"{sign}{write(node.operand, binds)}"
        else:
            binds = BINDING[node.operator]
            # Of equals the left one comes first, so only a right one needs parentheses; comparisons do not chain.
            left = write(node.left, binds + 1 if binds == COMPARING else binds)
            text = f"{left} {node.operator} {write(node.right, binds + 1)}"
        return f"({text})" if binds < least else text

    return write(node, 0)


def calculate(node: Arithmetic, value_of: Callable[[Quantity], float]) -> float:
    """What it comes to. Raises Unjudgeable."""
    if isinstance(node, Word):
        raise Unjudgeable(f"{text_of(node)} is no number")
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Quantity):
        return value_of(node)
    if isinstance(node, Negative):
        return -calculate(node.operand, value_of)
    left, right = calculate(node.left, value_of), calculate(node.right, value_of)
    try:
        value = _ARITHMETIC[node.operator](left, right)
    except ZeroDivisionError:
        raise Unjudgeable(f"{text_of(node.right)} is 0, and is divided by") from None
    if not math.isfinite(value):
        raise Unjudgeable(f"{text_of(node)} is too large for a number")
    return value


def is_true(node: Condition, value_of: Callable[[Quantity], float]) -> bool:
    """Whether the condition holds; `and` and `or` look at their right side only when it matters.

    Raises Unjudgeable.
    """
    if isinstance(node, Not):
        return not is_true(node.operand, value_of)
    if isinstance(node, Logical):
        if is_true(node.left, value_of) == (node.operator == "or"):
            return node.operator == "or"
        return is_true(node.right, value_of)
    return _COMPARE[node.operator](calculate(node.left, value_of), calculate(node.right, value_of))
