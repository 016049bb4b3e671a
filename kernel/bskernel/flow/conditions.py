"""When a flow's step belongs to a build: conditions on the build's own values."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from bskernel.config.schema import QualitySection, TargetSection
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.expr.parser import ExpressionError, parse

if TYPE_CHECKING:
    from bskernel.expr.ast import Condition

_SECTIONS: dict[str, type[msgspec.Struct]] = {"target": TargetSection, "quality": QualitySection}
REQUIRE = "sweep.require"  # set for the points of a sweep that requires something, and for no other build
# The short forms of flows, older than the language: one key, alone or beside an unquoted text. They need no grammar,
# so a cached build of a shipped flow does not load it.
_SHORT = re.compile(r"(?P<key>[\w.]+)(?:\s*(?P<sign>!?=)\s*(?P<text>(?![=\"'])\S+))?")


class _ShortForm(msgspec.Struct, frozen=True):
    """KEY (the build sets it), KEY = TEXT or KEY != TEXT."""

    key: str
    sign: str | None
    text: str | None


@functools.cache
def value_keys() -> list[str]:
    """The keys of a build that steps of a flow may name: SECTION.KEY."""
    keys = [
        f"{name}.{field.encode_name}"
        for name, section in _SECTIONS.items()
        for field in msgspec.structs.fields(section)
    ]
    return [*keys, REQUIRE]


@functools.cache
def _parsed(text: str) -> _ShortForm | Condition:
    """Raises ExpressionError."""
    found = _SHORT.fullmatch(text.strip())
    return parse(text, keys=True) if found is None else _ShortForm(**found.groupdict())


def _keys_of(condition: _ShortForm | Condition) -> list[str]:
    if isinstance(condition, _ShortForm):
        return [condition.key]
    from bskernel.expr.ast import quantities_in

    return [quantity.name for quantity in quantities_in(condition)]


def keys_in(conditions: str | tuple[str, ...]) -> frozenset[str]:
    """Return the keys that conditions name; a text that is not a condition names none."""
    keys: set[str] = set()
    for text in (conditions,) if isinstance(conditions, str) else conditions:
        try:
            keys.update(_keys_of(_parsed(text)))
        except ExpressionError:
            continue  # `holds` reports it
    return frozenset(keys)


def holds(conditions: str | tuple[str, ...], values: Mapping[str, Any], where: str) -> bool:
    """Return whether all conditions hold for a build with these values.

    Raises ConfigError for a text that is not a condition, a key that no build has, and values that give no answer.
    """
    texts = (conditions,) if isinstance(conditions, str) else conditions
    # All are checked before one is judged: a wrong condition is an error also where another one does not hold.
    checked = [(text, _checked(text, where)) for text in texts]
    return all(_holds(condition, values, f"{where}: when: {text!r}") for text, condition in checked)


def _checked(text: str, where: str) -> _ShortForm | Condition:
    try:
        condition = _parsed(text)
    except ExpressionError as error:
        raise ConfigError(
            f"{where}: when: {text!r} is not a condition: {error}",
            hint="write KEY, KEY = VALUE, KEY != VALUE, or e.g. target.target_fps > 1000 and quality.samples",
        ) from error
    for key in _keys_of(condition):
        if key not in value_keys():
            quotes = "" if isinstance(condition, _ShortForm) else "; a text is written in quotes"
            raise ConfigError(
                f"{where}: when: no build has the key {key!r}", hint=f"{choices(key, value_keys(), 'keys')}{quotes}"
            )
    return condition


def _holds(condition: _ShortForm | Condition, values: Mapping[str, Any], where: str) -> bool:
    if isinstance(condition, _ShortForm):
        if condition.sign is None:
            return condition.key in values
        # As texts even where the value is a number: 5.0 is not 5 here.
        return (str(values.get(condition.key)) == condition.text) == (condition.sign == "=")
    from bskernel.expr.ast import Unjudgeable, is_true

    try:
        return is_true(condition, lambda quantity: values.get(quantity.name))
    except Unjudgeable as error:
        raise ConfigError(f"{where}: {error}") from error
