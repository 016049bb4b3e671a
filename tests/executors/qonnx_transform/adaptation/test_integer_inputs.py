"""Inputs declared as integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.adapter import adapt_model
from bskernel_executors.sdk import StepFailure
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from support.seeded_networks import Network, execute


def of_integers(kind: int, *, dequantize: bool = False, moved: bool = False) -> Any:
    network = Network(0, (1, 8))
    if moved:
        network.node("Reshape", network.constant([1, 2, 4], dtype=np.int64))
        network.node("Reshape", network.constant([1, 8], dtype=np.int64))
    if dequantize:
        zero = numpy_helper.from_array(np.asarray(3, helper.tensor_dtype_to_np_dtype(kind)), "zero")
        network.constants.append(zero)
        network.node("DequantizeLinear", network.constant(0.25), "zero")
    else:
        network.node("Cast", to=TensorProto.FLOAT)
    network.quantize(8, 1.0)
    network.node("MatMul", network.weights(8, 3))
    model = network.model((1, 3))
    model.graph.input[0].type.tensor_type.elem_type = kind
    return model


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("dequantize", [False, True])
@pytest.mark.parametrize(
    ("kind", "name", "dtype"), [(TensorProto.UINT8, "UINT8", np.uint8), (TensorProto.INT8, "INT8", np.int8)]
)
def test_integers_become_numbers_with_a_data_type(
    kind: int, name: str, dtype: Any, dequantize: bool, moved: bool
) -> None:
    before, model = (of_integers(kind, dequantize=dequantize, moved=moved) for _ in range(2))
    adaptation = adapt_model(model)
    assert adaptation.compared_frames > 0
    assert "integer_inputs" in {change.kind for change in adaptation.changes}
    assert ModelWrapper(model).get_tensor_datatype("input").name == name
    assert {"Cast", "DequantizeLinear"}.isdisjoint(node.op_type for node in model.graph.node)
    values = np.random.default_rng(1).integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (1, 8))
    (expected,) = execute(before, {"input": values.astype(dtype)})
    (found,) = execute(model, {"input": values.astype(np.float32)})
    np.testing.assert_array_equal(found, expected)


def test_a_node_that_needs_integers_is_named() -> None:
    network = Network(0, (1, 4))
    network.node("Gather", axis=0)
    gather = network.nodes[0]
    table = network.constant(np.ones((9, 2)))
    gather.input[:] = [table, "input"]
    network.quantize()
    model = network.model((1, 4, 2))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(StepFailure, match="Gather Gather_0 looks values up") as caught:
        adapt_model(model)
    assert "host" in str(caught.value.failure.hint)
