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
from bskernel.expr.tokens import BASE, KEY, NUMBER, QUANTITY, SPACE, TRUTHS

if TYPE_CHECKING:
    from bskernel.expr.ast import Condition, Quantity

__all__ = ["ExpressionError", "parse", "parse_quantity"]

_SPACES = f"{SPACE}*"
_WORDS = frozenset({"or", "and", "not"})


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
    if text in _WORDS or (keys and text in TRUTHS):
        return None
    if keys:
        return Quantity("new", text, None, column)
    name, _, stage = text.partition("@")
    return None if name.partition(".")[0] == BASE else Quantity("new", name, stage or None, column)


@functools.cache
def _name_pattern() -> re.Pattern[str]:
    return re.compile(f"{_SPACES}(?P<name>{QUANTITY}){_SPACES}")


@functools.cache
def _relation_pattern(*, keys: bool) -> re.Pattern[str]:
    name = KEY if keys else QUANTITY
    return re.compile(
        f"{_SPACES}(?P<name>{name}){_SPACES}(?P<relation>[<>=!]=|[<>]){_SPACES}(?P<number>{NUMBER}){_SPACES}"
    )
