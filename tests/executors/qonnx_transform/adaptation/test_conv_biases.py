"""Quantized biases can be taken out of convolutions by qonnx, whichever shape and readers their constants have."""

from __future__ import annotations

from typing import Any

import pytest
from bskernel_executors.qonnx_transform.adaptation.conv_biases import mend_conv_biases
from support.mended import kinds, mend
from support.seeded_networks import QONNX, Network, draw_frame, execute


def quantized_bias(network: Network) -> str:
    """A bias whose quantizer has scalars, which the other quantizers read, too."""
    before, network.last = network.last, network.constant(network.draw(3))
    parameters = ["shared_scale", "shared_zero", network.constant(8.0)]
    made = network.node("Quant", *parameters, domain=QONNX, signed=1, narrow=0, rounding_mode="ROUND")
    network.last = before
    return made


def float_bias(network: Network) -> str:
    return "shared_bias"


@pytest.mark.parametrize("bias", [quantized_bias, float_bias])
def test_the_bias_can_be_extracted_and_nothing_else_changes(bias: Any) -> None:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.extract_conv_bias import ExtractBiasFromConv
    from qonnx.transformation.infer_shapes import InferShapes

    network = Network(0, (1, 3, 4, 4))
    network.constant(0.125, "shared_scale")
    network.constant(0.0, "shared_zero")
    network.constant(network.draw(3), "shared_bias")
    parameters = ["shared_scale", "shared_zero", network.constant(4.0)]
    network.node("Quant", *parameters, domain=QONNX, signed=1, narrow=0, rounding_mode="ROUND")
    for _ in range(2):
        network.node("Conv", network.weights(3, 3, 1, 1), bias(network), kernel_shape=[1, 1])
    model = network.model((1, 3, 4, 4))
    given = [draw_frame(seed, 1, 3, 4, 4) for seed in range(2)]
    mend(model, mend_conv_biases, given)
    expected = [execute(model, {"input": frame}) for frame in given]
    extracted = ModelWrapper(model).transform(InferShapes()).transform(ExtractBiasFromConv())
    assert kinds(extracted.model).count("Add") == 2
    for frame, (wanted,) in zip(given, expected, strict=True):
        (found,) = execute(extracted.model, {"input": frame})
        assert found.tolist() == wanted.tolist()


def test_a_bias_of_its_own_is_left_as_it_is() -> None:
    network = Network(1, (1, 3, 4, 4))
    network.node("Conv", network.weights(3, 3, 1, 1), network.constant(network.draw(3)), kernel_shape=[1, 1])
    assert mend_conv_biases(network.model((1, 3, 4, 4))) == []
