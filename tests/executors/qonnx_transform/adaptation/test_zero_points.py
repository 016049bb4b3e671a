"""Zero points are folded; the values stay what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.zero_points import mend_zero_points
from bskernel_executors.sdk import StepFailure
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.mended import attribute, find, kinds, mend, value
from support.seeded_networks import QONNX, Network, draw_frame

MODES = ["ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]


def quantize(
    network: Network, zero: Any, *, bits: int, signed: int, narrow: int = 0, mode: str = "ROUND", scale: Any = 0.125
) -> str:
    parameters = [network.constant(item) for item in (scale, zero, float(bits))]
    return network.node("Quant", *parameters, domain=QONNX, signed=signed, narrow=narrow, rounding_mode=mode)


@settings(max_examples=20, deadline=None)
@given(
    bits=st.integers(2, 8),
    signed=st.sampled_from([0, 1]),
    zero=st.integers(-20, 200).filter(bool),
    mode=st.sampled_from(MODES),
    seed=st.integers(0, 1000),
)
def test_activations_keep_their_values_for_every_mode_width_and_zero_point(
    bits: int, signed: int, zero: int, mode: str, seed: int
) -> None:
    network = Network(seed, (1, 50))
    quantize(network, float(zero), bits=bits, signed=signed, mode=mode)
    network.node("MatMul", network.weights(50, 4))
    model = network.model((1, 4))
    mend(model, mend_zero_points, [draw_frame(seed, 1, 50) * 2.0 ** (bits - 3)])
    assert [kind for kind in kinds(model) if kind != "Quant"] == ["MultiThreshold", "Mul", "MatMul"]
    assert all(not value(model, node.input[2]).any() for node in find(model, "Quant"))


@settings(max_examples=20, deadline=None)
@given(
    bits=st.integers(2, 8),
    signed=st.sampled_from([0, 1]),
    zero=st.integers(1, 200),
    seed=st.integers(0, 1000),
    per_channel=st.booleans(),
)
@example(bits=5, signed=0, zero=95, seed=0, per_channel=False)  # all of them are -64
def test_weights_keep_their_values_in_the_fewest_signed_bits(
    bits: int, signed: int, zero: int, seed: int, per_channel: bool
) -> None:
    network = Network(seed, (1, 6))
    network.last = network.constant(network.draw(6, 5) * 4)
    zeros = np.arange(zero, zero + 5).reshape(1, 5) if per_channel else np.float32(zero)
    quantize(network, zeros, bits=bits, signed=signed)
    weights, network.last = network.last, "input"
    network.node("MatMul", weights)
    model = network.model((1, 5))
    mend(model, mend_zero_points, [draw_frame(at, 1, 6) for at in range(2)])
    (node,) = find(model, "Quant")
    levels = np.round(value(model, node.input[0]) / value(model, node.input[1]))
    width = int(value(model, node.input[3]))
    assert attribute(node, "signed") == 1
    assert not value(model, node.input[2]).any()
    assert -(2 ** (width - 1)) <= levels.min()
    assert levels.max() < 2 ** (width - 1)
    assert width == 2 or levels.min() < -(2 ** (width - 2)) or levels.max() >= 2 ** (width - 2)


def test_a_network_without_zero_points_is_left_as_it_is() -> None:
    network = Network(0, (1, 6))
    network.quantize()
    model = network.model((1, 6))
    assert mend_zero_points(model) == []


def test_a_zero_point_that_is_no_whole_number_is_refused_by_name() -> None:
    network = Network(0, (1, 6))
    quantize(network, 0.5, bits=4, signed=1)
    with pytest.raises(StepFailure) as error:
        mend_zero_points(network.model((1, 6)))
    assert "Quant 'Quant_0' is 0.5, not a whole number" in error.value.failure.message
    assert "symmetric" in str(error.value.failure.hint)
