"""Foldings that FINN takes and hardware cannot have."""

import pytest
from bskernel_executors.finn_step.folding_check import FoldedLayer, find_violations, is_unfolded
from hypothesis import given
from hypothesis import strategies as st


def layer(operator: str = "MVAU", **attributes: int) -> FoldedLayer:
    return FoldedLayer(name=f"{operator}_0", operator=operator, attributes=attributes)


def test_a_factor_that_does_not_divide_is_named_with_the_divisors() -> None:
    (text,) = find_violations([layer(PE=7, MH=32, SIMD=8, MW=64)])
    assert text == "MVAU_0: PE = 7 does not divide MH = 32; divisors: 1, 2, 4, 8, 16, 32"


@pytest.mark.parametrize("factor", [0, -1, 33])
def test_a_factor_out_of_range_is_no_folding(factor: int) -> None:
    assert find_violations([layer(PE=factor, MH=32)])


@given(st.integers(1, 64), st.integers(1, 64))
def test_what_divides_is_never_refused(factor: int, times: int) -> None:
    assert find_violations([layer("Thresholding", PE=factor, NumChannels=factor * times)]) == ()


def test_a_layer_of_another_kind_is_left_alone() -> None:
    assert find_violations([layer("StreamingFIFO", PE=7, MH=32)]) == ()


def test_a_network_that_nobody_folded_is_noticed() -> None:
    slow = layer(PE=1, SIMD=1, MW=64, MH=32)
    assert is_unfolded([slow, layer("Thresholding", PE=1, NumChannels=4)])
    assert not is_unfolded([slow, layer(PE=2, SIMD=1, MW=64, MH=32)])
    assert not is_unfolded([layer(PE=1, SIMD=1, MW=1, MH=1)])
    assert not is_unfolded([])
