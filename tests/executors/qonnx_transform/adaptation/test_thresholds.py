"""Thresholds found by search count exactly what the quantizer computes, for every float32 number."""

from __future__ import annotations

import numpy as np
from bskernel_executors.qonnx_transform.adaptation.thresholds import Levels, find_thresholds
from hypothesis import given
from hypothesis import strategies as st

MODES = ["ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]


@given(
    scale=st.floats(2.0**-20, 2.0**20, width=32),
    zero=st.integers(-300, 300),
    low=st.integers(-128, 127),
    count=st.integers(1, 40),
    mode=st.sampled_from(MODES),
)
def test_each_threshold_is_the_smallest_number_that_reaches_its_level(
    scale: float, zero: int, low: int, count: int, mode: str
) -> None:
    levels = Levels(np.float32(scale), float(zero), low, low + count, mode)
    found = find_thresholds(levels)
    wanted = np.arange(low + 1, low + count + 1)
    assert found.shape == (1, count)
    assert (levels.count(found[0]) >= wanted).all()
    assert (levels.count(np.nextafter(found[0], np.float32(-np.inf))) < wanted).all()


def test_each_channel_has_its_own() -> None:
    scales = np.array([0.5, 2.0], np.float32).reshape(1, 2, 1, 1)
    found = find_thresholds(Levels(scales, 0.0, 0, 3))
    assert found[:, 0].tolist() == [
        np.nextafter(np.float32(0.25), np.float32(1)),
        np.nextafter(np.float32(1), np.float32(2)),
    ]
    assert (found[1] == 4 * found[0]).all()
