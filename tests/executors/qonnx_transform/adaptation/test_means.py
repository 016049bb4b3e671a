"""Means over pixels become pools; other means stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.means import mend_means
from support.seeded_networks import Network, draw_frame, execute


def mean(axes: list[int], *, keepdims: int, as_input: bool, shape: tuple[int, ...] = (1, 3, 4, 5)) -> Any:
    network = Network(0, shape)
    network.quantize()
    if as_input:
        network.node("ReduceMean", network.constant(axes, dtype=np.int64), keepdims=keepdims)
    else:
        network.node("ReduceMean", axes=axes, keepdims=keepdims)
    kept = [axis % len(shape) for axis in axes]
    made = [1 if at in kept else size for at, size in enumerate(shape) if keepdims or at not in kept]
    model = network.model(tuple(made))
    model.opset_import[0].version = 18 if as_input else 13
    return model


@pytest.mark.parametrize("as_input", [False, True])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(("axes", "shape"), [([2, 3], (1, 3, 4, 5)), ([-1, -2], (1, 3, 4, 5)), ([2], (1, 3, 4))])
def test_a_mean_over_all_pixels_becomes_a_global_pool(
    axes: list[int], shape: tuple[int, ...], keepdims: int, as_input: bool
) -> None:
    before, model = (mean(axes, keepdims=keepdims, as_input=as_input, shape=shape) for _ in range(2))
    assert mend_means(model)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Quant", "GlobalAveragePool", *([] if keepdims else ["Flatten"])]
    frame = {"input": draw_frame(0, *shape)}
    np.testing.assert_allclose(execute(model, frame)[0], execute(before, frame)[0], rtol=1e-6)
    assert mend_means(model) == []


@pytest.mark.parametrize("axes", [[1], [3], [0, 2, 3], [1, 2, 3]])
def test_a_mean_over_other_axes_stays(axes: list[int]) -> None:
    model = mean(axes, keepdims=1, as_input=False)
    assert mend_means(model) == []
