"""When a flow's step belongs to a build: conditions on the build's own values."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bskernel.config.schema import QualitySection, TargetSection
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices

_SECTIONS: dict[str, type[msgspec.Struct]] = {"target": TargetSection, "quality": QualitySection}
REQUIRE = "sweep.require"  # set for the points of a sweep that requires something, and for no other build
_CONDITION = re.compile(r"(?P<key>[\w.]+)(?:\s*(?P<sign>!?=)\s*(?P<value>\S+))?")


@functools.cache
def value_keys() -> list[str]:
    """The keys of a build that steps of a flow may name: SECTION.KEY."""
    keys = [
        f"{name}.{field.encode_name}"
        for name, section in _SECTIONS.items()
        for field in msgspec.structs.fields(section)
    ]
    return [*keys, REQUIRE]


def keys_in(conditions: str | tuple[str, ...]) -> frozenset[str]:
    """The keys that conditions name; of what is no condition, none."""
    texts = (conditions,) if isinstance(conditions, str) else conditions
    found = (_CONDITION.fullmatch(text.strip()) for text in texts)
    return frozenset(match["key"] for match in found if match is not None)


def holds(conditions: str | tuple[str, ...], values: Mapping[str, Any], where: str) -> bool:
    """Do all hold? Each is "KEY" (the build sets it), "KEY = VALUE" or "KEY != VALUE".

    Raises ConfigError for what is no condition, and for a key that no build has.
    """
    texts = (conditions,) if isinstance(conditions, str) else conditions
    # Each one, so that a wrong condition is told also where another one does not hold.
    held = [_holds(text, values, where) for text in texts]
    return all(held)


def _holds(text: str, values: Mapping[str, Any], where: str) -> bool:
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{where}: when: {text!r} is no condition", hint="write KEY, KEY = VALUE or KEY != VALUE")
    key, sign, value = found["key"], found["sign"], found["value"]
    if key not in value_keys():
        raise ConfigError(f"{where}: when: no build has the key {key!r}", hint=choices(key, value_keys(), "keys"))
    if sign is None:
        return key in values
    return (str(values.get(key)) == value) == (sign == "=")
