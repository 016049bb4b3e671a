"""An axis of numbers: where each number lies, and round numbers beside it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

_TICKS = 8  # at most about as many are on a linear axis
_MARGIN = 0.05  # of the axis, beyond its first and last number
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_PLAIN = 10_000  # numbers below are written without a prefix


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """From numbers to places on an axis, 0 at its beginning and 1 at its end."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """The place of a number between low and high."""
        if self.low == self.high:
            return 0.5
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            share = (math.log(value) - low) / (high - low)
        else:  # halved, since the span of two finite numbers may overflow
            share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return round(_MARGIN + (1 - 2 * _MARGIN) * share, 4)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """(place, text) of round numbers, in their order; of the number itself if there is only one."""
        if self.low == self.high:
            return ((0.5, short(self.low)),)
        found = _log_ticks(self.low, self.high) if self.log else _linear_ticks(self.low, self.high)
        return tuple((self.place(value), short(value)) for value in found)


def scale_of(values: Sequence[float], *, log: bool) -> Scale:
    """The scale that spans these numbers, of which there is at least one."""
    return Scale(low=min(values), high=max(values), log=log)


def _linear_ticks(low: float, high: float) -> list[float]:
    step = _round_step(high / _TICKS - low / _TICKS)
    margin = _MARGIN / (1 - 2 * _MARGIN) * (high / 2 - low / 2) * 2
    first, last = math.ceil((low - margin) / step), math.floor((high + margin) / step)
    return [at * step for at in range(first, last + 1)]


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least as much as given."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    every = -(-(last - first) // 10)
    powers = range(first, last + 1, max(1, every))
    found = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [value for value in found if low / 1.0001 <= value <= high * 1.0001]


def short(value: float) -> str:
    """A round number in little room: 400 k, 1.2 M, 0.05."""
    for size, prefix in _PREFIXES:
        if abs(value) >= max(size, _PLAIN):
            return f"{value / size:.4g} {prefix}"
    return f"{value:,.4g}" if abs(value) < _PLAIN else f"{value:,.0f}"
