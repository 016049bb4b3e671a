"""The search space: one dimension per key of the grid, and one for all keys of `zip`. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from bskernel.config import Span, SweepSection, Values
from bskernel.sweeps.analysis.table import is_number
from bskernel.sweeps.points.ranges import values

DIGITS = 6  # significant digits of a number chosen from a range


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Listed values; each sets all of `keys`, and its position identifies it."""

    keys: tuple[str, ...]
    choices: tuple[tuple[Any, ...], ...]
    ordered: bool  # the values are sorted numbers

    def settings(self, chosen: float) -> dict[str, Any]:
        """The settings of a choice."""
        return dict(zip(self.keys, self.choices[int(chosen)], strict=True))


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """Any number from low to high, both included; an integer if both ends are."""

    key: str
    low: int | float
    high: int | float
    log: bool

    @property
    def whole(self) -> bool:
        """True when both ends are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def settings(self, chosen: float) -> dict[str, Any]:
        """The settings of a choice; a fraction is rounded to DIGITS significant digits."""
        if self.whole:
            return {self.key: int(chosen)}
        return {self.key: min(max(float(f"{chosen:.{DIGITS}g}"), float(self.low)), float(self.high))}


Dimension: TypeAlias = Listed | Between


def space_of(section: SweepSection, where: str) -> dict[str, Dimension]:
    """The dimensions by name: a key of the grid, or `zip`. Raises ConfigError prefixed by `where`."""
    space: dict[str, Dimension] = {}
    for key, given in section.grid.items():
        at = f'{where}.grid."{key}"'
        if isinstance(given, Span) and given.step is None and given.count is None:
            space[key] = Between(key=key, low=given.start, high=given.end, log=given.log)
        else:
            space[key] = _listed({key: given}, at)
    if section.zip:
        space["zip"] = _listed(section.zip, f"{where}.zip")
    return space


def _listed(given: Mapping[str, Values], where: str) -> Listed:
    columns = [values(one, where) if isinstance(one, Span) else one for one in given.values()]
    choices = tuple(dict.fromkeys(_Distinct(choice) for choice in zip(*columns, strict=True)))
    ordered = len(columns) == 1 and all(is_number(choice.values[0]) for choice in choices)
    plain = tuple(choice.values for choice in choices)
    return Listed(keys=tuple(given), choices=tuple(sorted(plain)) if ordered else plain, ordered=ordered)


class _Distinct:
    """A value that compares equal by its JSON: 1 differs from true, and lists can be hashed."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values
        self._text = msgspec.json.encode(values, order="sorted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Distinct) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def settings_of(space: Mapping[str, Dimension], chosen: Mapping[str, float]) -> dict[str, Any]:
    """The settings of a point, from its choice in each dimension."""
    settings: dict[str, Any] = {}
    for name, dimension in space.items():
        settings |= dimension.settings(chosen[name])
    return settings


def size_of(space: Mapping[str, Dimension]) -> int:
    """The number of combinations of listed values."""
    return math.prod(len(one.choices) for one in space.values() if isinstance(one, Listed))


def some_point(space: Mapping[str, Dimension], at: int, draw: Callable[[], float]) -> dict[str, int | float]:
    """The combination of listed values with this number, modulo `size_of`; ranges use `draw`, from 0 to 1."""
    chosen: dict[str, int | float] = {}
    for name, one in space.items():
        if isinstance(one, Listed):
            at, chosen[name] = divmod(at, len(one.choices))
        elif one.log:
            chosen[name] = one.low * (one.high / one.low) ** draw()
        else:
            chosen[name] = one.low + (one.high - one.low) * draw()
        if isinstance(one, Between):
            inside = min(max(chosen[name], one.low), one.high)
            chosen[name] = round(inside) if one.whole else inside
    return chosen
