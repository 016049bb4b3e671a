"""Average pools become depthwise sums of integers, and compute the same wherever the pool itself is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.average_pools import mend_average_pools
from bskernel_executors.sdk import StepFailure
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mended import attribute, find, kinds, mend, value
from support.seeded_networks import QONNX, Network, draw_frame


def frames(*shape: int) -> list[Any]:
    return [draw_frame(seed, *shape) for seed in range(3)]


def images(seed: int) -> Network:
    network = Network(seed, (1, 3, 8, 8))
    network.quantize(4)
    return network


def truncate(network: Network, scales: tuple[float, ...], bits: tuple[float, ...], **attributes: Any) -> None:
    """A Trunc: of version 2 with two scales, of version 1 with one."""
    values = [scales[0], 0.0, bits[0], *scales[1:], bits[1]]
    network.node("Trunc", *(network.constant(item) for item in values), domain=QONNX, **attributes)


@settings(max_examples=20, deadline=None)
@given(
    kernel=st.sampled_from([(2, 2), (4, 4), (2, 4), (1, 2), (8, 8)]),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    bits=st.integers(2, 8),
    signed=st.sampled_from([0, 1]),
    scale=st.sampled_from([0.125, 0.25, 0.0625]),
    seed=st.integers(0, 1000),
)
def test_a_pool_before_a_quantizer_computes_the_same(
    kernel: tuple[int, int], stride: int, pad: int, bits: int, signed: int, scale: float, seed: int
) -> None:
    network = images(seed)
    pads = [pad if size > 1 else 0 for size in kernel] * 2
    network.node("AveragePool", kernel_shape=list(kernel), strides=[stride] * 2, pads=pads, count_include_pad=1)
    network.quantize(bits, scale, signed=signed)
    sizes = [(8 + 2 * before - size) // stride + 1 for size, before in zip(kernel, pads[:2], strict=True)]
    model = network.model((1, 3, *sizes))
    mend(model, mend_average_pools, frames(1, 3, 8, 8))
    assert "AveragePool" not in kinds(model)
    (sum_node,) = find(model, "Conv")
    assert attribute(sum_node, "group") == 3


@pytest.mark.parametrize("last", ["GlobalAveragePool", "AveragePool"])
def test_a_pool_before_a_layer_leaves_its_factor_behind_it(last: str) -> None:
    network = images(1)
    window: dict[str, Any] = {"kernel_shape": [8, 8]} if last == "AveragePool" else {}
    network.node(last, **window)
    network.node("Flatten", axis=1)
    network.node("MatMul", network.weights(3, 5))
    model = network.model((1, 5))
    mend(model, mend_average_pools, frames(1, 3, 8, 8))
    assert [kind for kind in kinds(model) if kind != "Quant"] == ["Div", "Conv", "Mul", "Flatten", "MatMul"]


@settings(max_examples=20, deadline=None)
@given(
    mode=st.sampled_from(["ROUND", "CEIL", "FLOOR", "HALF_UP", "DOWN"]),
    version=st.sampled_from([1, 2]),
    out_bits=st.integers(2, 6),
    seed=st.integers(0, 1000),
)
def test_a_trunc_keeps_its_rounding_mode_in_either_version(mode: str, version: int, out_bits: int, seed: int) -> None:
    network = images(seed)
    network.node("AveragePool", kernel_shape=[4, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    shift = 7 - out_bits  # sums of 8 values of 4 bits
    if version == 1:
        network.node("Mul", network.constant(8.0))
        truncate(network, (0.125,), (7.0, float(out_bits)), rounding_mode=mode)
    else:
        scale = 0.125 / 8
        truncate(network, (scale, scale * 2**shift), (7.0, float(out_bits)), rounding_mode=mode, signed=1, narrow=0)
    model = network.model((1, 3, 3, 4))
    model.opset_import[1].version = version
    mend(model, mend_average_pools, frames(1, 3, 8, 8))
    assert "Trunc" not in kinds(model)
    wider = version == 1 and mode not in {"FLOOR", "DOWN"}  # which does not clamp
    assert value(model, find(model, "Quant")[-1].input[3]) == out_bits + wider


def test_what_finn_maps_itself_stays() -> None:
    network = Network(2, (1, 3, 8, 8))
    network.quantize(4, signed=0)
    network.node("AveragePool", kernel_shape=[4, 4], strides=[4, 4], pads=[0, 0, 0, 0])
    truncate(network, (0.125 / 16, 0.125), (8.0, 4.0), rounding_mode="FLOOR", signed=0, narrow=0)
    model = network.model((1, 3, 2, 2))
    model.opset_import[1].version = 2
    assert mend_average_pools(model) == []


def test_a_pool_of_floats_stays_on_the_host() -> None:
    network = Network(3, (1, 3, 8, 8))
    network.node("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    assert mend_average_pools(network.model((1, 3, 4, 4))) == []


@pytest.mark.parametrize(
    ("attributes", "needle"),
    [
        ({"pads": [1, 1, 1, 1]}, "count_include_pad = True"),
        ({"ceil_mode": 1, "strides": [3, 3]}, "ceil_mode = False"),
    ],
)
def test_windows_of_different_sizes_are_refused_by_name(attributes: dict[str, Any], needle: str) -> None:
    network = images(4)
    network.node("AveragePool", **{"kernel_shape": [3, 3], "strides": [1, 1], **attributes})
    with pytest.raises(StepFailure) as error:
        mend_average_pools(network.model((1, 3, 8, 8)))
    assert "AveragePool 'AveragePool_0'" in error.value.failure.message
    assert needle in str(error.value.failure.hint)


def test_sums_of_odd_counts_are_exact_where_the_pool_rounds() -> None:
    network = images(5)
    network.node("AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[0, 0, 0, 0])
    network.quantize(4)
    model = network.model((1, 3, 6, 6))
    mend_average_pools(model)
    quantizer = find(model, "Quant")[-1]
    assert value(model, quantizer.input[1]) == 1
    assert value(model, find(model, "Mul")[0].input[1]) == np.float32(1 / 9)
