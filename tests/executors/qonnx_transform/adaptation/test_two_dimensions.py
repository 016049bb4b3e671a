"""Networks over one axis compute the same over two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.two_dimensions import mend_rank
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mended import attribute, find, kinds, mend
from support.seeded_networks import Network, draw_frame


def frames(*shape: int) -> list[Any]:
    return [draw_frame(seed, *shape) for seed in range(3)]


def input_shape(model: Any) -> list[int]:
    return [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]


@settings(max_examples=20, deadline=None)
@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.integers(1, 2),
    depthwise=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_convolution_computes_the_same(
    kernel: int, stride: int, pads: tuple[int, int], dilation: int, depthwise: bool, bias: bool, seed: int
) -> None:
    network = Network(seed, (1, 4, 12))
    network.quantize()
    more = [network.constant(network.draw(4))] if bias else []
    network.node(
        "Conv",
        network.weights(4, 1 if depthwise else 4, kernel),
        *more,
        kernel_shape=[kernel],
        strides=[stride],
        pads=list(pads),
        dilations=[dilation],
        group=4 if depthwise else 1,
    )
    network.node("Relu")
    network.quantize(signed=0)
    length = (12 + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1
    model = network.model((1, 4, length))
    mend(model, mend_rank, frames(1, 4, 12))
    assert input_shape(model) == [1, 4, 1, 12]
    assert attribute(find(model, "Conv")[0], "pads") == [0, pads[0], 0, pads[1]]


def test_a_keyword_spotting_network_computes_the_same() -> None:
    network = Network(7, (1, 10, 32))
    network.quantize(8)
    for channels, following in ((10, 8), (8, 16)):
        network.node("Conv", network.weights(following, channels, 3), kernel_shape=[3], pads=[1, 1])
        parameters = [np.ones(following), network.draw(following), network.draw(following), np.full(following, 0.25)]
        network.node("BatchNormalization", *(network.constant(item) for item in parameters), epsilon=0.0)
        network.node("Relu")
        network.quantize(signed=0)
        network.node("MaxPool", kernel_shape=[2], strides=[2])
    network.node("Mul", network.constant(2.0 ** -np.arange(16).reshape(1, 16, 1)))
    network.node("Flatten", axis=1)
    network.node("MatMul", network.weights(128, 12))
    model = network.model((1, 12))
    (change,) = mend(model, mend_rank, frames(1, 10, 32))
    assert change.names == ("Conv_0", "MaxPool_0", "Conv_1", "MaxPool_1")
    assert "Reshape" not in kinds(model)


def pooled(network: Network) -> tuple[int, ...]:
    network.node("GlobalAveragePool")
    network.node("Flatten", axis=1)
    return (1, 4)


def reshaped(network: Network) -> tuple[int, ...]:
    network.node("Reshape", network.constant([0, -1], dtype=np.int64))
    network.node("MatMul", network.weights(48, 3))
    return (1, 3)


def transposed(network: Network) -> tuple[int, ...]:
    network.node("Transpose", perm=[0, 2, 1])
    network.node("MatMul", network.weights(4, 3))
    return (1, 12, 3)


def padded(network: Network) -> tuple[int, ...]:
    network.node("Pad", network.constant([0, 0, 1, 0, 0, 2], dtype=np.int64), mode="constant")
    return (1, 4, 15)


def joined(network: Network) -> tuple[int, ...]:
    first = network.last
    network.node("Conv", network.weights(4, 4, 3), kernel_shape=[3], pads=[1, 1])
    network.node("Add", first)
    network.node("Concat", first, axis=1)
    return (1, 8, 12)


def reduced(network: Network) -> tuple[int, ...]:
    network.node("ReduceMean", axes=[2], keepdims=0)
    return (1, 4)


def squeezed(network: Network) -> tuple[int, ...]:
    network.node("MaxPool", kernel_shape=[12])
    network.node("Squeeze", network.constant([2], dtype=np.int64))
    network.node("MatMul", network.weights(4, 3))
    return (1, 3)


@pytest.mark.parametrize("rest", [pooled, reshaped, transposed, padded, joined, reduced, squeezed])
def test_what_follows_a_convolution_computes_the_same(rest: Any) -> None:
    network = Network(8, (1, 4, 12))
    network.node("Conv", network.weights(4, 4, 1), kernel_shape=[1])
    network.quantize()
    model = network.model(rest(network))
    mend(model, mend_rank, frames(1, 4, 12))
    assert find(model, "Conv")


def test_a_flat_input_is_brought_into_the_convolution_s_rank() -> None:
    network = Network(9, (1, 48))
    network.node("Reshape", network.constant([1, 4, 12], dtype=np.int64))
    network.node("Conv", network.weights(4, 4, 3), kernel_shape=[3])
    model = network.model((1, 4, 10))
    mend(model, mend_rank, frames(1, 48))
    assert input_shape(model) == [1, 48]


def test_images_are_left_as_they_are() -> None:
    network = Network(10, (1, 2, 6, 6))
    network.node("Conv", network.weights(3, 2, 3, 3), kernel_shape=[3, 3])
    model = network.model((1, 3, 4, 4))
    assert mend_rank(model) == []
