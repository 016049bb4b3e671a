"""Batches: rebuilt for one frame where that gives the same, refused where frames are mixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.adapter import adapt_model
from bskernel_executors.sdk import StepFailure
from hypothesis import given, settings
from hypothesis import strategies as st
from support.seeded_networks import Network, draw_frame, execute, make_cnn, make_mlp


def first_size(model: Any) -> int:
    return int(model.graph.input[0].type.tensor_type.shape.dim[0].dim_value)


@given(st.sampled_from([make_mlp, make_cnn]), st.integers(2, 9), st.integers(0, 99))
@settings(max_examples=25)
def test_a_batch_becomes_one_frame_that_gives_what_its_frame_of_the_batch_gave(
    make: Callable[..., Any], batch: int, seed: int
) -> None:
    whole, model = make(seed, batch=batch), make(seed, batch=batch)
    adaptation = adapt_model(model)
    assert [(change.kind, change.before) for change in adaptation.changes] == [("batch", f"a batch of {batch}")]
    assert adaptation.compared_frames == 2 * batch
    assert first_size(model) == 1
    shape = [dim.dim_value for dim in whole.graph.input[0].type.tensor_type.shape.dim]
    frames = draw_frame(seed, *shape)
    (expected,) = execute(whole, {"input": frames})
    for at in range(batch):
        (found,) = execute(model, {"input": frames[at : at + 1]})
        np.testing.assert_array_equal(found, expected[at : at + 1])


def test_the_batch_changes_in_the_sizes_of_a_resize_too() -> None:
    network = Network(0, (3, 2, 2, 2))
    network.quantize()
    network.node("Resize", "", "", network.constant([3, 2, 4, 4], dtype=np.int64), mode="nearest")
    network.quantize(3)
    model = network.model((3, 2, 4, 4))
    assert [change.kind for change in adapt_model(model).changes] == ["batch"]
    (found,) = execute(model, {"input": draw_frame(0, 1, 2, 2, 2)})
    assert found.shape == (1, 2, 4, 4)


def mixing(kind: str) -> Any:
    network = Network(0, (4, 4))
    network.quantize()
    if kind == "transposed":
        network.node("Transpose", perm=[1, 0])
        network.node("MatMul", network.weights(4, 4))
    else:
        network.node("ReduceMean", axes=[0], keepdims=1)
        network.node("Add", network.nodes[0].output[0])
    return network.model((4, 4))


@pytest.mark.parametrize("kind", ["transposed", "mean"])
def test_a_network_that_mixes_frames_is_refused(kind: str) -> None:
    with pytest.raises(StepFailure, match="a batch of 4 cannot become one frame") as caught:
        adapt_model(mixing(kind))
    assert 'skip = ["batch"]' in str(caught.value.failure.hint)


def test_two_inputs_become_one_frame_each() -> None:
    from onnx import TensorProto, helper

    network = Network(0, (4, 6))
    network.quantize()
    network.node("Add", "side")
    model = network.model((4, 6))
    model.graph.input.append(helper.make_tensor_value_info("side", TensorProto.FLOAT, [4, 6]))
    (change,) = adapt_model(model).changes
    assert change.names == ("input", "side")
    assert [value.type.tensor_type.shape.dim[0].dim_value for value in model.graph.input] == [1, 1]
