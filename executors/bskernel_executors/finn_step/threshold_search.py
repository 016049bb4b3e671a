"""Exact thresholds: found by bisection over all float32 numbers, on the function that qonnx executes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_LAST = 0x7F7FFFFF  # the bits of the largest float32
LARGEST = float.fromhex("0x1.fffffep127")


def _to_numbers(keys: Any) -> Any:
    """Turn integers, which count the float32 numbers from zero, into these numbers."""
    import numpy as np

    bits = np.abs(keys).astype(np.uint32).view(np.float32)
    return np.where(keys < 0, -bits, bits)


def find_thresholds(find_levels: Callable[[Any], Any], channels: int, count: int) -> Any:
    """Find, in float64, a number between the last float32 below each level and the first one at or above it.

    `find_levels` takes and returns arrays of shape (channels, count); it must not fall. Returns that shape: at [c, k]
    the threshold of level k + 1. It lies in the middle between the two, so that a sum in other arithmetic is decided
    as if it had been rounded to float32. A level that all numbers reach has -LARGEST, one that none reaches LARGEST.
    """
    import numpy as np

    wanted = np.arange(1, count + 1)[None, :]
    shape = (channels, count)

    def reaches(keys: Any) -> Any:
        return find_levels(_to_numbers(keys)) >= wanted

    below = np.full(shape, -_LAST, dtype=np.int64)
    above = np.full(shape, _LAST, dtype=np.int64)
    always, never = reaches(below), ~reaches(above)
    while (above - below > 1).any():
        middle = (below + above) // 2
        up = reaches(middle)
        above, below = np.where(up, middle, above), np.where(up, below, middle)
    last, first = (_to_numbers(keys).astype(np.float64) for keys in (below, above))
    middle = (last + first) / 2
    # A sum exactly in the middle is rounded to the float32 with an even mantissa.
    found = np.where(above % 2 == 0, middle, np.nextafter(middle, np.inf))
    found = np.where(always, -LARGEST, np.where(never, LARGEST, found))
    return np.maximum.accumulate(found, axis=1)


def round_up(values: Any) -> Any:
    """Return the smallest float32 that is not below each value: `x >= value` stays the same for every float32 x."""
    import numpy as np

    found = values.astype(np.float32)
    return np.where(found < values, np.nextafter(found, np.float32(np.inf)), found)
