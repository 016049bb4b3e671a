"""Chains of QuantizeLinear, Clip and DequantizeLinear become quantizers that give the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.qcdq import mend_qcdq
from bskernel_executors.sdk import StepFailure
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mended import attribute, find, kinds, mend, value
from support.seeded_networks import Network, draw_frame

INT8, UINT8 = np.int8, np.uint8


def quantize(
    network: Network,
    dtype: Any,
    *,
    scale: Any = 0.125,
    zero: Any = 0,
    clip: tuple[int, int] | None = None,
    **more: Any,
) -> None:
    """A chain as Brevitas and ONNX Runtime write it."""
    step, point = network.constant(scale), network.constant(zero, dtype=dtype)
    network.node("QuantizeLinear", step, point, **more)
    if clip is not None:
        network.node("Clip", *(network.constant(bound, dtype=dtype) for bound in clip))
    network.node("DequantizeLinear", step, point, **more)


def stored(
    network: Network, shape: tuple[int, ...], *, scale: Any = 0.125, dtype: Any = INT8, clip: bool = True, **more: Any
) -> str:
    """Weights that are integers behind a DequantizeLinear; the chain of activations goes on where it was."""
    before = network.last
    values = np.clip(network.draw(*shape) * 8, -7, 7)
    network.last = network.constant(values, dtype=dtype)
    if clip:
        network.node("Clip", network.constant(-7, dtype=dtype), network.constant(7, dtype=dtype))
    network.node(
        "DequantizeLinear", network.constant(scale), network.constant(np.zeros_like(scale), dtype=dtype), **more
    )
    made, network.last = network.last, before
    return made


def frames(*shape: int) -> list[Any]:
    return [draw_frame(seed, *shape) for seed in range(4)]


def test_an_mlp_of_brevitas_qcdq_export_becomes_the_one_of_its_qonnx_export() -> None:
    network = Network(0, (1, 6))
    quantize(network, INT8)
    network.node("MatMul", stored(network, (6, 5)))
    network.node("Add", stored(network, (5,), dtype=np.int32, clip=False))
    network.node("Relu")
    quantize(network, UINT8, clip=(0, 15))
    network.node("MatMul", stored(network, (5, 3)))
    model = network.model((1, 3))
    mend(model, mend_qcdq, frames(1, 6))
    assert kinds(model) == ["Quant", "Quant", "MatMul", "Add", "Relu", "Quant", "Quant", "MatMul"]
    found = [
        (value(model, node.input[3]).item(), attribute(node, "signed"), attribute(node, "narrow"))
        for node in find(model, "Quant")
    ]
    assert found == [(8, 1, 0), (4, 1, 1), (4, 0, 0), (4, 1, 1)]
    assert all(value(model, node.input[2]) == 0 for node in find(model, "Quant"))


@settings(max_examples=20, deadline=None)
@given(
    bits=st.integers(2, 8),
    signed=st.booleans(),
    narrow=st.booleans(),
    exponent=st.integers(-6, 1),
    seed=st.integers(0, 10_000),
)
def test_any_bit_width_that_clip_can_say_gives_the_same_values(
    bits: int, signed: bool, narrow: bool, exponent: int, seed: int
) -> None:
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    low = (-high if narrow else -high - 1) if signed else 0
    network = Network(seed, (1, 40))
    quantize(network, INT8 if signed else UINT8, scale=2.0**exponent, clip=(low, high))
    model = network.model((1, 40))
    mend(model, mend_qcdq, [draw_frame(seed, 1, 40) * 2.0 ** (exponent + bits - 2)])
    (node,) = find(model, "Quant")
    assert (value(model, node.input[3]), attribute(node, "signed")) == (bits, int(signed))
    assert attribute(node, "narrow") == int(signed and narrow)


@pytest.mark.parametrize(("axis", "shape"), [(0, (3, 2, 3, 3)), (1, (6, 5)), (-1, (6, 5))])
def test_scales_per_channel_keep_their_axis(axis: int, shape: tuple[int, ...]) -> None:
    scales = 2.0 ** -np.arange(1, shape[axis] + 1)
    if len(shape) == 4:
        network = Network(1, (1, 2, 6, 6))
        network.node("Conv", stored(network, shape, scale=scales, axis=axis), kernel_shape=[3, 3])
        model, given = network.model((1, 3, 4, 4)), frames(1, 2, 6, 6)
    else:
        network = Network(1, (1, 6))
        network.node("MatMul", stored(network, shape, scale=scales, axis=axis))
        model, given = network.model((1, 5)), frames(1, 6)
    mend(model, mend_qcdq, given)
    found = value(model, find(model, "Quant")[0].input[1])
    assert found.shape == tuple(size if at == axis % len(shape) else 1 for at, size in enumerate(shape))
    assert found.ravel().tolist() == scales.tolist()


def test_a_zero_point_that_only_shifts_the_range_is_gone() -> None:
    network = Network(2, (1, 6))
    quantize(network, UINT8, zero=128)
    model = network.model((1, 6))
    mend(model, mend_qcdq, [draw_frame(seed, 1, 6) * 8 for seed in range(4)])
    (node,) = find(model, "Quant")
    assert (attribute(node, "signed"), value(model, node.input[2])) == (1, 0)


@pytest.mark.parametrize(("zero", "low", "high"), [(4, 0, 15), (7, 0, 15), (0, 0, 9), (131, 0, 255), (3, 3, 12)])
def test_other_ranges_become_thresholds_that_give_the_same_values(zero: int, low: int, high: int) -> None:
    network = Network(3, (1, 40))
    quantize(network, UINT8, zero=zero, clip=(low, high))
    model = network.model((1, 40))
    mend(model, mend_qcdq, [draw_frame(seed, 1, 40) * (high - low) / 16 for seed in range(4)])
    assert kinds(model) == ["MultiThreshold", "Mul"]
    (node,) = find(model, "MultiThreshold")
    assert value(model, node.input[1]).shape == (1, high - low)
    assert attribute(node, "out_bias") == low - zero


def test_float_weights_with_a_zero_point_keep_their_values_without() -> None:
    network = Network(6, (1, 6))
    network.last = network.constant(network.draw(6, 5))
    quantize(network, UINT8, zero=5, clip=(0, 15))
    weights, network.last = network.last, "input"
    network.node("MatMul", weights)
    model = network.model((1, 5))
    mend(model, mend_qcdq, frames(1, 6))
    (node,) = find(model, "Quant")
    assert (value(model, node.input[2]), attribute(node, "signed")) == (0, 1)


def test_integers_that_two_nodes_dequantize_get_one_quantizer() -> None:
    network = Network(4, (1, 6))
    quantize(network, INT8)
    first = network.last
    network.last = "QuantizeLinear_0_out0"
    network.node("DequantizeLinear", "p0", "p1")
    network.node("Add", first)
    model = network.model((1, 6))
    mend(model, mend_qcdq, frames(1, 6))
    assert kinds(model) == ["Quant", "Add"]


def with_other_scales(network: Network) -> None:
    network.node("QuantizeLinear", network.constant(0.125), network.constant(0, dtype=INT8))
    network.node("DequantizeLinear", network.constant(0.25), network.constant(0, dtype=INT8))


def without_dequantization(network: Network) -> None:
    network.node("QuantizeLinear", network.constant(0.125), network.constant(0, dtype=INT8))


def of_sixteen_odd_bits(network: Network) -> None:
    quantize(network, np.uint16, zero=5)


def with_integer_arithmetic(network: Network) -> None:
    network.node("DynamicQuantizeLinear", outputs=3)


@pytest.mark.parametrize(
    ("make", "needles"),
    [
        (
            with_other_scales,
            ["DequantizeLinear 'DequantizeLinear_0'", "not that of QuantizeLinear 'QuantizeLinear_0'"],
        ),
        (without_dequantization, ["QuantizeLinear 'QuantizeLinear_0'", "stands alone"]),
        (of_sixteen_odd_bits, ["QuantizeLinear 'QuantizeLinear_0'", "from -5 to 65530"]),
        (with_integer_arithmetic, ["DynamicQuantizeLinear 'DynamicQuantizeLinear_0'"]),
    ],
)
def test_a_chain_that_is_no_quantizer_is_refused_by_name(make: Any, needles: list[str]) -> None:
    network = Network(5, (1, 6))
    make(network)
    with pytest.raises(StepFailure) as error:
        mend_qcdq(network.model((1, 6)))
    assert error.value.failure.category == "model_load"
    assert error.value.failure.hint
    for needle in needles:
        assert needle in error.value.failure.message
