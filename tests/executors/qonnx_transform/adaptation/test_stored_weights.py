"""Weights without a quantizer that are multiples of a power of two get one, and keep their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.quantization import check_quantization
from bskernel_executors.qonnx_transform.adaptation.stored_weights import mend_stored_weights
from support.mended import find, kinds, mend, value
from support.seeded_networks import Network, draw_frame


def make(values: Any) -> Any:
    network = Network(0, (1, 2, 4, 4))
    network.quantize()
    network.node("Conv", network.constant(values), kernel_shape=[3, 3])
    return network.model((1, 3, 2, 2))


@pytest.mark.parametrize(("exponent", "high"), [(0, 127), (0, 1), (3, 7), (7, 100)])
def test_weights_keep_their_values_and_are_quantized(exponent: int, high: int) -> None:
    levels = np.random.default_rng(1).integers(-high, high + 1, (3, 2, 3, 3))
    levels.ravel()[:2] = (1, high)  # an odd one, so that no smaller exponent will do, and the largest
    model = make(levels / 2.0**exponent)
    mend(model, mend_stored_weights, [draw_frame(seed, 1, 2, 4, 4) for seed in range(3)])
    scale, bits = (value(model, find(model, "Quant")[1].input[at]) for at in (1, 3))
    assert (scale, bits) == (2.0**-exponent, max(2, 1 + high.bit_length()))
    assert check_quantization(model) == []


@pytest.mark.parametrize(
    "values", [np.full((3, 2, 3, 3), 1 / 3), np.full((3, 2, 3, 3), 300.0), np.zeros((3, 2, 3, 3))]
)
def test_other_weights_are_left_as_they_are(values: Any) -> None:
    model = make(values)
    assert mend_stored_weights(model) == []
    assert kinds(model) == ["Quant", "Conv"]
