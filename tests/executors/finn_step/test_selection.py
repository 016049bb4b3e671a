"""Layers that get no implementation, by their numbers alone."""

from bskernel_executors.finn_step.selection import find_wide_output
from hypothesis import given
from hypothesis import strategies as st


@given(low=st.integers(-300, 300), steps=st.integers(1, 300))
def test_an_output_has_the_bits_of_the_smallest_type_that_holds_all_its_integers(low: int, steps: int) -> None:
    high = low + steps
    holds = [
        bits
        for bits in range(1, 12)
        if (low >= 0 and high < 2**bits) or (low < 0 and -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1))
    ]
    fitting = [bits for bits in range(1, 12) if find_wide_output("any", bits, steps, low) is None]
    assert fitting == holds[:1]


def test_a_wide_output_is_refused_with_the_type_to_use() -> None:
    reason = find_wide_output("INT8", 8, 15, -8)
    assert reason is not None
    assert reason.startswith("its output is INT8, but its thresholds need INT4 for -8 to 7")
