"""Axes of numbers: places, and round numbers beside them."""

import math

import pytest
from bskernel.sweeps.page.scale import Scale, scale_of, short
from hypothesis import example, given
from hypothesis import strategies as st

NUMBERS = st.floats(-1e300, 1e300).filter(lambda value: value == 0 or abs(value) > 1e-300)


def test_numbers_lie_between_the_margins_and_in_their_order() -> None:
    linear = scale_of([10.0, 30.0, 20.0], log=False)
    assert [linear.place(value) for value in (10, 20, 30)] == [0.05, 0.5, 0.95]
    log = scale_of([1.0, 100.0], log=True)
    assert [log.place(value) for value in (1, 10, 100)] == [0.05, 0.5, 0.95]


def test_equal_numbers_lie_in_the_middle_and_are_named() -> None:
    assert scale_of([3.0, 3.0], log=False).ticks == ((0.5, "3"),)
    assert scale_of([3.0], log=True).place(3.0) == 0.5


@pytest.mark.parametrize(("low", "high", "texts"), [
    (0, 10, ["0", "2", "4", "6", "8", "10"]),
    (48_828, 1_250_000, ["0", "200 k", "400 k", "600 k", "800 k", "1 M", "1.2 M"]),
    (-1, 1, ["-1", "-0.5", "0", "0.5", "1"]),
    (0.011, 0.019, ["0.011", "0.012", "0.013", "0.014", "0.015", "0.016", "0.017", "0.018", "0.019"]),
])  # fmt: skip
def test_ticks_are_round_numbers(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in Scale(low=low, high=high).ticks] == texts


def test_ticks_of_a_logarithmic_axis_are_few_and_round() -> None:
    assert [text for _, text in Scale(low=1, high=1000, log=True).ticks] == [
        "1", "2", "5", "10", "20", "50", "100", "200", "500", "1,000",
    ]  # fmt: skip
    many = [text for _, text in Scale(low=1e-3, high=1e12, log=True).ticks]
    assert (many[0], many[-1], len(many) <= 11) == ("0.001", "100 G", True)


@example([5.33e26, 2.97e-282], True)
@given(st.lists(NUMBERS, min_size=1, max_size=5), st.booleans())
def test_any_numbers_have_places_and_ticks_on_the_axis(values: list[float], log: bool) -> None:
    scale = scale_of(values, log=log and min(values) > 0)
    assert all(0 <= scale.place(value) <= 1 for value in values)
    ticks = scale.ticks
    assert len(ticks) <= 35
    assert all(math.isfinite(place) and -0.01 <= place <= 1.01 for place, _ in ticks)


def test_numbers_in_little_room_keep_their_size() -> None:
    assert [short(value) for value in (0, 9999, 10_000, 1.5e6, -2e9, 0.05)] == [
        "0", "9,999", "10 k", "1.5 M", "-2 G", "0.05",
    ]  # fmt: skip
