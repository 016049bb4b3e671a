"""Thresholds found by bisection over float32 numbers."""

from typing import Any

import numpy as np
from bskernel_executors.finn_step.threshold_search import LARGEST, find_thresholds, round_up
from hypothesis import given
from hypothesis import strategies as st

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, min_size=1, max_size=6))
def test_every_float32_is_on_the_same_side_of_the_threshold_found_as_of_the_one_that_was_hidden(
    hidden: list[float],
) -> None:
    levels = np.sort(np.array(hidden, dtype=np.float32))

    def find_levels(values: Any) -> Any:
        return (values[..., None] >= levels).sum(axis=-1)

    found = find_thresholds(find_levels, 1, len(levels))[0]
    for number in levels:
        with np.errstate(over="ignore"):
            near = [number, np.nextafter(number, np.float32(-np.inf)), np.nextafter(number, np.float32(np.inf))]
        for value in near:
            if np.isfinite(value):
                assert (np.float64(value) >= found).sum() == (value >= levels).sum()


@given(FLOATS)
def test_a_sum_between_two_float32_numbers_is_decided_as_if_it_were_rounded_first(hidden: float) -> None:
    first = np.float32(hidden)
    found = find_thresholds(lambda values: (values >= first).astype(int), 1, 1)[0, 0]
    if abs(found) == LARGEST:
        return
    last = np.nextafter(first, np.float32(-np.inf))
    for part in (0.25, 0.5, 0.75):
        between = float(last) + part * (float(first) - float(last))
        assert (between >= found) == (np.float32(between) >= first)


def test_a_level_that_every_number_reaches_and_one_that_none_reaches_have_the_largest_numbers() -> None:
    assert find_thresholds(lambda values: np.ones_like(values, dtype=int), 1, 2).tolist() == [[-LARGEST, LARGEST]]


@given(st.floats(-3e38, 3e38), FLOATS)
def test_rounding_a_threshold_to_float32_changes_no_decision(threshold: float, value: float) -> None:
    rounded = round_up(np.array([threshold]))
    assert rounded.dtype == np.float32
    assert (np.float32(value) >= rounded[0]) == (np.float64(np.float32(value)) >= threshold)
    # The nearest numbers are where an error would show.
    for near in (rounded[0], np.nextafter(rounded[0], np.float32(-np.inf))):
        assert (near >= rounded[0]) == (float(near) >= threshold)
