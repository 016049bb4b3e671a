"""The values of a range. Pure."""

from __future__ import annotations

import math
from fractions import Fraction

from bskernel.config import Span
from bskernel.core.errors import ConfigError

Number = int | float


def size(span: Span, where: str) -> int:
    """The number of values, which may be too large to list. Raises ConfigError for an infinite range.

    A range of rounded numbers may come to fewer, for each is there once.
    """
    if not (math.isfinite(span.start) and math.isfinite(span.end)):
        raise ConfigError(f"{where}: from {span.start} to {span.end}: both ends must be numbers")
    if span.step is not None:
        return math.floor((_exact(span.end) - _exact(span.start)) / _exact(span.step)) + 1
    if span.count is None:
        raise ConfigError(
            f"{where}: a range of a grid needs a step or a count",
            hint="only a search ([sweep.search]) can use a range without them",
        )
    if span.count == 1 and span.start != span.end:
        raise ConfigError(f"{where}: a range with count = 1 needs equal ends, not {span.start} and {span.end}")
    return span.count


def values(span: Span, where: str) -> tuple[Number, ...]:
    """All values in order, without duplicates.

    By a step: from, from + step, ... up to and including `to` where that is one of them. By a count: both ends and
    what lies between at equal distances, or ratios (`log`). They are computed as decimals, not in binary: from 0.1 by
    0.1 gives 0.3. All are integers where both ends, and the step, are and every value is; of a log range whose ends
    are integers each is rounded to the nearest.
    """
    number = size(span, where)
    start, end = _exact(span.start), _exact(span.end)
    whole = isinstance(span.start, int) and isinstance(span.end, int)
    if span.log:
        return _ratios(span, number, whole=whole)
    if span.step is not None:
        distance, whole = _exact(span.step), whole and isinstance(span.step, int)
    else:
        distance = (end - start) / (number - 1) if number > 1 else Fraction(0)
    found = [start + at * distance for at in range(number)]
    if whole and all(value.denominator == 1 for value in found):
        return tuple(dict.fromkeys(int(value) for value in found))
    return tuple(dict.fromkeys(float(value) for value in found))


def _ratios(span: Span, number: int, *, whole: bool) -> tuple[Number, ...]:
    steps = max(number - 1, 1)
    between = (span.start * (span.end / span.start) ** (at / steps) for at in range(1, number - 1))
    # The ends are exact, whatever rounding the powers have.
    found = [float(span.start), *between, *([float(span.end)] if number > 1 else [])]
    return tuple(dict.fromkeys(round(value) if whole else value for value in found))


def _exact(value: Number) -> Fraction:
    return Fraction(repr(value))
