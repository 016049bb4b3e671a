"""The bounds of a Clip become bounds of the quantizer behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.clips import mend_clips
from bskernel_executors.qonnx_transform.adaptation.zero_points import mend_zero_points
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mended import attribute, find, kinds, mend, value
from support.seeded_networks import QONNX, Network, draw_frame


def clip(network: Network, low: float | None, high: float | None) -> None:
    network.node("Clip", *("" if bound is None else network.constant(bound) for bound in (low, high)))


@settings(max_examples=20, deadline=None)
@given(
    low=st.sampled_from([None, -4.0, -1.0625, 0.0, 0.05]),
    high=st.sampled_from([None, 0.75, 1.0, 1.875, 6.0]),
    bits=st.integers(2, 6),
    signed=st.sampled_from([0, 1]),
    seed=st.integers(0, 1000),
)
def test_any_bounds_give_the_same_values_without_a_clip(
    low: float | None, high: float | None, bits: int, signed: int, seed: int
) -> None:
    network = Network(seed, (1, 40))
    clip(network, low, high)
    network.quantize(bits, signed=signed)
    model = network.model((1, 40))
    mend(model, mend_clips, [draw_frame(seed, 1, 40) * 4])
    assert "Clip" not in kinds(model)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((0.0, 6.0), (4, 0)), ((-2.0, 2.0), (5, 1)), ((0.0, 0.875), (3, 0)), ((-0.875, 0.875), (4, 1))],
)
def test_bounds_that_are_those_of_a_bit_width_leave_a_quant(
    bounds: tuple[float, float], expected: tuple[int, int]
) -> None:
    network = Network(0, (1, 40))
    clip(network, *bounds)
    network.quantize(5 if bounds[1] != 6.0 else 4, signed=1 if bounds[1] != 6.0 else 0)
    model = network.model((1, 40))
    mend(model, mend_clips, [draw_frame(seed, 1, 40) for seed in range(3)])
    (node,) = find(model, "Quant")
    assert (value(model, node.input[3]), attribute(node, "signed")) == expected


def test_a_clip_that_another_node_reads_stays_for_it() -> None:
    network = Network(1, (1, 6))
    clip(network, 0.0, 1.0)
    clipped = network.last
    network.quantize()
    network.node("Add", clipped)
    model = network.model((1, 6))
    mend(model, mend_clips, [draw_frame(seed, 1, 6) for seed in range(3)])
    assert sorted(kinds(model)) == ["Add", "Clip", "Quant"]


def test_a_relu_before_a_zero_point_goes_into_the_thresholds() -> None:
    network = Network(2, (1, 40))
    network.node("Relu")
    parameters: list[Any] = [network.constant(item) for item in (0.125, 3.0, 4.0)]
    network.node("Quant", *parameters, domain=QONNX, signed=0, narrow=0, rounding_mode="ROUND")
    model = network.model((1, 40))
    mend(model, mend_zero_points, [draw_frame(seed, 1, 40) for seed in range(3)])
    assert kinds(model) == ["MultiThreshold", "Mul"]
    assert attribute(find(model, "MultiThreshold")[0], "out_bias") == 0
    assert value(model, find(model, "MultiThreshold")[0].input[1]).shape == (1, 12)
    assert np.isfinite(value(model, find(model, "MultiThreshold")[0].input[1])).all()
