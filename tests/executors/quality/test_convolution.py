"""Convolution in float64."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bskernel_executors.quality.convolution import convolve
from hypothesis import given
from hypothesis import strategies as st

SMALL = st.integers(1, 2)


def node(**attributes: Any) -> Any:
    return SimpleNamespace(
        attribute=[
            SimpleNamespace(name=name, ints=value if isinstance(value, list) else [], i=value)
            for name, value in attributes.items()
        ]
    )


@given(
    seed=st.integers(0, 99),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(SMALL, SMALL),
    dilations=st.tuples(SMALL, SMALL),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    groups=SMALL,
)
def test_each_output_is_the_sum_over_its_window(
    seed: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    groups: int,
) -> None:
    draw = np.random.default_rng(seed)
    values, bias = draw.integers(-9, 9, (2, 4, 7, 6)).astype(float), draw.integers(-9, 9, 4).astype(float)
    weights = draw.integers(-9, 9, (4, 4 // groups, *kernel)).astype(float)
    given_node = node(strides=list(strides), dilations=list(dilations), pads=list(pads), group=groups)
    found = convolve(given_node, values, weights, bias)
    padded = np.pad(values, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    for frame, channel, row, column in np.ndindex(found.shape):
        first = channel // (4 // groups) * (4 // groups)
        total = bias[channel]
        for inner, down, right in np.ndindex(weights.shape[1:]):
            at = (row * strides[0] + down * dilations[0], column * strides[1] + right * dilations[1])
            total += weights[channel, inner, down, right] * padded[frame, first + inner, at[0], at[1]]
        assert found[frame, channel, row, column] == total
    assert found.shape[2] == (padded.shape[2] - dilations[0] * (kernel[0] - 1) - 1) // strides[0] + 1


def test_attributes_may_be_left_out_and_other_ranks_are_refused() -> None:
    assert convolve(node(), np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3))).tolist() == [[[[9.0]]]]
    with pytest.raises(ValueError, match="two dimensions"):
        convolve(node(), np.ones((1, 1, 3)), np.ones((1, 1, 3)))
