"""What a layer of thresholds takes, as features that its LUTs are predicted from. Pure.

FINN's thresholding.sv searches by levels: each of PE channels at once has a table and a comparison for each level.
The contents decide what synthesis leaves of them: a bit that is the same in all words needs no table, equal bits
share one, and a level whose thresholds no input can tell apart disappears.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_LUT_WORDS = 64  # words of one bit that a LUT holds


def count_levels(steps: int) -> int:
    """The levels of the search among so many thresholds."""
    return math.ceil(math.log2(steps + 1))


def _count_tables(words: NDArray[np.int64], bits: int) -> int:
    """The different tables of one bit among `words`, of which complements are equal, without constant ones."""
    columns = ((words[:, None] >> np.arange(bits)) & 1).T
    columns ^= columns[:, :1]
    return len(np.unique(columns[columns.any(axis=1)], axis=0))


def describe_thresholds(
    thresholds: NDArray[np.int64], pe: int, bits: int, input_range: tuple[int, int], input_bits: int
) -> dict[str, float]:
    """Describe thresholds of shape (channels, steps), or (1, steps) if all channels share them, at a folding.

    `bits`: of a threshold. `input_range`: the least and the greatest input. `levels` counts levels that decide
    something, `compared_bits` the bits that they compare; `tables` counts bits of them that are stored, `table_luts`
    the LUTs for these.
    """
    steps = thresholds.shape[1]
    levels = count_levels(steps)
    padding = np.repeat(thresholds[:, -1:], 2**levels - 1 - steps, axis=1)
    padded = np.concatenate([thresholds, padding], axis=1)
    lanes = 1 if len(padded) == 1 else pe  # different ones
    found = {"levels": 0.0, "compared_bits": 0.0, "tables": 0.0, "table_luts": 0.0}
    low, high = input_range
    for level in range(levels):
        half = 2 ** (levels - 1 - level)
        for lane in range(lanes):
            words = padded[lane::lanes, half - 1 :: 2 * half].reshape(-1)
            tables = _count_tables(words, bits)
            is_decided = not bool(((words > low) & (words <= high)).any())
            found["levels"] += not is_decided
            found["compared_bits"] += 0 if is_decided else min(bits, input_bits)
            found["tables"] += tables
            found["table_luts"] += tables * len(words) / _LUT_WORDS
    return {"one": 1.0} | {name: round(count * pe / lanes, 4) for name, count in found.items()}
