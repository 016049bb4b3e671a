"""From text to a condition's syntax tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bskernel.expr.errors import ExpressionError

if TYPE_CHECKING:
    from bskernel.expr.ast import Condition, Quantity

__all__ = ["ExpressionError", "parse", "parse_quantity"]


def parse(text: str, *, keys: bool = False) -> Condition:
    """Parse a condition, whose names are quantities of metrics, or `keys` of a build.

    Raises ExpressionError, and nothing else, for a text that is not a condition.
    """
    from bskernel.expr.grammar import language

    return language(keys=keys).condition(text)


def parse_quantity(text: str) -> Quantity:
    """Parse the name of a quantity: NAME or NAME@STAGE. Raises ExpressionError."""
    from bskernel.expr.grammar import language

    return language(keys=False).quantity(text)
