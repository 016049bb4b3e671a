"""Which points a sweep leaves out: conditions over the keys of the build. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bskernel.core.errors import ConfigError
from bskernel.expr.ast import Condition, Unjudgeable, is_true, quantities_in
from bskernel.expr.parser import ExpressionError, parse


class PointCondition(msgspec.Struct, frozen=True):
    """A condition that points must meet, and its text."""

    text: str
    condition: Condition


def parse_conditions(
    texts: str | tuple[str, ...], check: Callable[[str, str], None], where: str
) -> list[PointCondition]:
    """Parse conditions and `check` each of their keys. Raises ConfigError."""
    found = []
    for text in (texts,) if isinstance(texts, str) else texts:
        try:
            condition = parse(text, keys=True)
        except ExpressionError as error:
            raise ConfigError(f"{where}: {text!r}: {error}") from error
        for quantity in quantities_in(condition):
            check(quantity.name, f"{where}: {text!r}")
        found.append(PointCondition(text, condition))
    return found


def holds(wanted: PointCondition, value_of: Callable[[str], Any], where: str) -> bool:
    """Return whether the condition holds for these values. Raises ConfigError where they give no answer."""
    try:
        return is_true(wanted.condition, lambda quantity: value_of(quantity.name))
    except Unjudgeable as error:
        raise ConfigError(f"{where}: {wanted.text!r}: {error}") from error
