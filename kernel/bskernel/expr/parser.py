"""From text to a condition's syntax tree.

Most texts are plain: a name, or a name that is compared with a number. They need no more than a pattern. The grammar
reads all others, and says what is wrong with a text: importing Lark and making its tables takes 0.1 s.
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING

from bskernel.expr.errors import ExpressionError

if TYPE_CHECKING:
    from bskernel.expr.ast import Condition, Quantity

__all__ = ["ExpressionError", "parse", "parse_quantity"]

# As in the grammar.
_QUANTITY = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*(?:@[A-Za-z_][A-Za-z0-9_]*)?"
_KEY = r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
_NUMBER = r"(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SPACE = r"[ \t\r\n]*"
_WORDS = frozenset({"or", "and", "not"})
_TRUTHS = frozenset({"true", "false"})  # no keys


def parse(text: str, *, keys: bool = False) -> Condition:
    """Parse a condition, whose names are quantities of metrics, or `keys` of a build.

    Raises ExpressionError, and nothing else, for a text that is not a condition.
    """
    plain = _plain_relation(text, keys=keys)
    if plain is not None:
        return plain
    from bskernel.expr.grammar import language

    return language(keys=keys).condition(text)


def parse_quantity(text: str) -> Quantity:
    """Parse the name of a quantity: NAME or NAME@STAGE. Raises ExpressionError."""
    found = _name_pattern().fullmatch(text)
    plain = _plain_name(found, keys=False) if found is not None else None
    if plain is not None:
        return plain
    from bskernel.expr.grammar import language

    return language(keys=False).quantity(text)


def _plain_relation(text: str, *, keys: bool) -> Condition | None:
    """A name that is compared with a number; None for any other text."""
    from bskernel.expr.ast import Number, Relation

    found = _relation_pattern(keys=keys).fullmatch(text)
    name = _plain_name(found, keys=keys) if found is not None else None
    if found is None or name is None:
        return None
    value = float(found["number"])
    return Relation(found["relation"], name, Number(value)) if math.isfinite(value) else None


def _plain_name(found: re.Match[str], *, keys: bool) -> Quantity | None:
    """The name that was found; None for a word that means something else, and for what stands for the base."""
    from bskernel.expr.ast import Quantity

    text, column = found["name"], found.start("name") + 1
    if text in _WORDS or (keys and text in _TRUTHS):
        return None
    if keys:
        return Quantity("new", text, None, column)
    name, _, stage = text.partition("@")
    return None if name.partition(".")[0] == "base" else Quantity("new", name, stage or None, column)


@functools.cache
def _name_pattern() -> re.Pattern[str]:
    return re.compile(f"{_SPACE}(?P<name>{_QUANTITY}){_SPACE}")


@functools.cache
def _relation_pattern(*, keys: bool) -> re.Pattern[str]:
    name = _KEY if keys else _QUANTITY
    return re.compile(
        f"{_SPACE}(?P<name>{name}){_SPACE}(?P<relation>[<>=!]=|[<>]){_SPACE}(?P<number>{_NUMBER}){_SPACE}"
    )
