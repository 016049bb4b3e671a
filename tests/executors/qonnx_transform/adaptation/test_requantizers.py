"""Quantizers that change nothing go, and those behind a ReLU lose the half that is never reached."""

from __future__ import annotations

from typing import Any

from bskernel_executors.qonnx_transform.adaptation.requantizers import mend_requantizers
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mended import attribute, find, kinds, mend, value
from support.seeded_networks import QONNX, Network, draw_frame


def frames(*shape: int) -> list[Any]:
    return [draw_frame(seed, *shape) for seed in range(3)]


def test_a_quantizer_behind_the_same_one_goes_wherever_values_only_pass() -> None:
    network = Network(0, (1, 2, 4, 4))
    network.quantize(4)
    network.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network.quantize(4)
    network.node("Flatten", axis=1)
    network.quantize(4)
    network.node("MatMul", network.weights(8, 3))
    model = network.model((1, 3))
    changes = mend(model, mend_requantizers, frames(1, 2, 4, 4))
    assert [change.names for change in changes] == [("Quant_1",), ("Quant_2",)]
    assert kinds(model) == ["Quant", "MaxPool", "Flatten", "Quant", "MatMul"]


def test_a_quantizer_with_other_parameters_stays() -> None:
    for bits, scale, signed in ((3, 0.125, 1), (4, 0.25, 1), (4, 0.125, 0)):
        network = Network(1, (1, 6))
        network.quantize(4)
        network.quantize(bits, scale, signed=signed)
        assert mend_requantizers(network.model((1, 6))) == []


@settings(max_examples=15, deadline=None)
@given(bits=st.integers(2, 8), narrow=st.sampled_from([0, 1]), seed=st.integers(0, 1000))
def test_a_signed_quantizer_behind_a_relu_becomes_unsigned(bits: int, narrow: int, seed: int) -> None:
    network = Network(seed, (1, 40))
    network.node("Relu")
    parameters = [network.constant(item) for item in (0.125, 0.0, float(bits))]
    network.node("Quant", *parameters, domain=QONNX, signed=1, narrow=narrow, rounding_mode="ROUND")
    model = network.model((1, 40))
    mend(model, mend_requantizers, [draw_frame(seed, 1, 40) * 2.0 ** (bits - 3)])
    (node,) = find(model, "Quant")
    assert (value(model, node.input[3]), attribute(node, "signed"), attribute(node, "narrow")) == (bits - 1, 0, 0)
