"""Gemm becomes MatMul and Add, whatever its transpositions and factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.gemm import mend_gemm
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mended import find, kinds, mend, value
from support.seeded_networks import QONNX, Network, draw_frame


def frames(*shape: int) -> list[Any]:
    return [draw_frame(seed, *shape) for seed in range(3)]


@settings(max_examples=20, deadline=None)
@given(
    alpha=st.sampled_from([None, 1.0, 0.5, -2.0]),
    beta=st.sampled_from([None, 1.0, 0.25, -1.0]),
    trans_b=st.sampled_from([None, 0, 1]),
    bias=st.sampled_from([None, (5,), (1, 5), (1,)]),
    quantized=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_form_computes_the_same(
    alpha: float | None,
    beta: float | None,
    trans_b: int | None,
    bias: tuple[int, ...] | None,
    quantized: bool,
    seed: int,
) -> None:
    network = Network(seed, (1, 6))
    shape = (5, 6) if trans_b else (6, 5)
    weights = network.weights(*shape) if quantized else network.constant(network.draw(*shape))
    more = [] if bias is None else [network.weights(*bias) if quantized else network.constant(network.draw(*bias))]
    given: dict[str, Any] = {
        name: value for name, value in (("alpha", alpha), ("beta", beta), ("transB", trans_b)) if value is not None
    }
    network.node("Gemm", weights, *more, **given)
    model = network.model((1, 5))
    mend(model, mend_gemm, frames(1, 6))
    assert "Gemm" not in kinds(model)
    assert "Transpose" not in kinds(model)


def test_scales_per_channel_are_transposed_with_their_weights() -> None:
    network = Network(1, (1, 6))
    before, scales = network.last, 2.0 ** -np.arange(1, 6)
    network.last = network.constant(network.draw(5, 6))
    parameters = [network.constant(scales.reshape(5, 1)), network.constant(np.zeros((5, 1))), network.constant(4.0)]
    weights = network.node("Quant", *parameters, domain=QONNX, signed=1, narrow=1, rounding_mode="ROUND")
    network.last = before
    network.node("Gemm", weights, transB=1)
    model = network.model((1, 5))
    mend(model, mend_gemm, frames(1, 6))
    (node,) = find(model, "Quant")
    assert [value(model, name).shape for name in node.input[:3]] == [(6, 5), (1, 5), (1, 5)]


def test_weights_that_two_layers_read_stay_as_they_are_for_the_other() -> None:
    network = Network(2, (1, 6))
    weights = network.weights(6, 6)
    network.node("Gemm", weights, transB=1)
    network.node("MatMul", weights)
    model = network.model((1, 6))
    mend(model, mend_gemm, frames(1, 6))
    assert kinds(model) == ["Quant", "Quant", "MatMul", "MatMul"]


@pytest.mark.parametrize("shape", [(6, 1), (6, 3)])
def test_an_activation_that_is_transposed_gets_a_node(shape: tuple[int, int]) -> None:
    network = Network(3, shape)
    network.node("Gemm", network.constant(network.draw(6, 5)), transA=1)
    model = network.model((shape[1], 5))
    mend(model, mend_gemm, frames(*shape))
    assert kinds(model) == ["Transpose", "MatMul"]
