"""Samples of another layout are transposed where it is told or proven, and refused otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.quality.layout import arrange_frames
from bskernel_executors.sdk import StepFailure
from hypothesis import given
from hypothesis import strategies as st

IMAGES = np.random.default_rng(0).random((2, 3, 8, 6))
CUBES = np.random.default_rng(1).random((2, 5, 5, 5))
SIZES = st.integers(1, 5)


def channels_last(frames: Any) -> Any:
    return np.moveaxis(frames, 1, -1)


@pytest.mark.parametrize("layout", ["auto", "NHWC"])
def test_channels_move_to_the_front_and_are_said_to(layout: Any) -> None:
    found, said = arrange_frames(channels_last(IMAGES), (3, 8, 6), layout, "samples")
    assert (found == IMAGES).all()
    assert said == "frames of [8, 6, 3] transposed to [3, 8, 6]"


@pytest.mark.parametrize("layout", ["auto", "NCHW"])
def test_channels_move_to_the_end_for_a_network_that_takes_them_there(layout: Any) -> None:
    found, said = arrange_frames(IMAGES, (8, 6, 3), layout, "samples")
    assert (found == channels_last(IMAGES)).all()
    assert said


@pytest.mark.parametrize("layout", ["auto", "NCHW", "NHWC"])
def test_frames_of_the_network_s_shape_stay_as_they_are(layout: Any) -> None:
    found, said = arrange_frames(IMAGES, (3, 8, 6), layout, "samples")
    assert (found == IMAGES).all()
    assert said is None


def test_a_cube_is_moved_only_when_told() -> None:
    assert (arrange_frames(CUBES, (5, 5, 5), "auto", "samples")[0] == CUBES).all()
    assert (arrange_frames(channels_last(CUBES), (5, 5, 5), "NHWC", "samples")[0] == CUBES).all()


@given(
    shape=st.lists(SIZES, min_size=1, max_size=3), ones=st.lists(st.integers(0, 3), max_size=2), flat=st.booleans()
)
def test_axes_of_one_and_flat_frames_never_reorder(shape: list[int], ones: list[int], flat: bool) -> None:
    frame = list(shape)
    for at in ones:
        frame.insert(min(at, len(frame)), 1)
    given = np.arange(2 * np.prod(shape)).reshape(2, *([-1] if flat else shape))
    found, said = arrange_frames(given, tuple(frame), "auto", "samples")
    assert found.shape == (2, *frame)
    assert found.ravel().tolist() == given.ravel().tolist()
    assert said is None


def test_series_lifted_to_two_axes_take_the_samples_of_before() -> None:
    series = np.random.default_rng(2).random((2, 10, 64))
    assert (arrange_frames(series, (10, 1, 64), "auto", "samples")[0] == series[:, :, None]).all()
    found, said = arrange_frames(channels_last(series), (10, 1, 64), "auto", "samples")
    assert (found == series[:, :, None]).all()
    assert said


@pytest.mark.parametrize(
    ("shape", "frame", "layout"),
    [
        ((3, 64), (3, 8, 8), "auto"),  # the same number of values, in another order perhaps
        ((8, 3, 8), (3, 8, 8), "auto"),  # 8 channels first, or rows and columns swapped
        ((8, 6, 3), (3, 8, 6), "NCHW"),  # told otherwise
        ((6, 8, 3), (3, 8, 6), "auto"),  # rows and columns swapped, too
        ((3, 8, 8), (3, 8, 9), "auto"),
    ],
)
def test_all_else_is_refused_with_both_shapes(shape: tuple[int, ...], frame: tuple[int, ...], layout: Any) -> None:
    with pytest.raises(StepFailure) as error:
        arrange_frames(np.zeros((2, *shape)), frame, layout, "mine")
    assert error.value.failure.category == "config"
    assert f"mine: frames have the shape {list(shape)}, the model takes {list(frame)}" in error.value.failure.message
    assert 'layout = "NHWC"' in str(error.value.failure.hint)
