"""Shape inference without weights leaves what ONNX's own leaves, to the byte, and the model as it was."""

from typing import Any

import numpy as np
import onnx
from bskernel_executors.sdk.shape_shortcuts import infer_without_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, shape_inference

INFER = infer_without_weights(shape_inference.infer_shapes)
FORMS = (np.float32, np.float64, np.float16, np.int64, np.int8)


def a_value(name: str, shape: list[int] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


@st.composite
def models(draw: st.DrawFn) -> onnx.ModelProto:
    """Products, sums and other shapes one after another, with constants of many sizes and types."""
    width = draw(st.sampled_from([4, 64, 128]))
    nodes, constants = [], []
    for at in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("MatMul", "Add", "Reshape", "Resize", "Expand", "Relu")))
        array: np.ndarray[Any, Any] | None = None
        if kind == "MatMul":
            following = draw(st.sampled_from([4, 64, 128, 3]))
            array, width = np.ones((width, following), np.float32), following
        elif kind == "Add":
            shape = draw(st.sampled_from([(1, width), (width,), (), (40, width), (7, 3, 40)]))
            array = np.full(shape, at, draw(st.sampled_from(FORMS)))
        elif kind == "Reshape":
            array = np.array(draw(st.sampled_from([[1, -1], [-1], [2, -1], [1, 1, -1]])), np.int64)
        elif kind == "Resize":
            array = np.array(draw(st.sampled_from([[1, 2], [2.5, 1], [1, 1, 2]])), np.float32)
        elif kind == "Expand":
            array = np.array(draw(st.sampled_from([[3, 1], [2, 3, 1]])), np.int64)
        inputs = [f"t{at}"] if array is None else [f"t{at}", *([""] if kind == "Resize" else []), f"c{at}"]
        nodes.append(helper.make_node(kind, inputs, [f"t{at + 1}"], name=f"n{at}"))
        if array is not None:
            made = numpy_helper.from_array(array, f"c{at}")
            if draw(st.booleans()) and array.dtype == np.float32:  # not as raw data
                made = helper.make_tensor(f"c{at}", TensorProto.FLOAT, array.shape, array.ravel().tolist())
            made.doc_string = "kept"
            constants.append(made)
    first = draw(st.sampled_from([4, 64, 128]))
    graph = helper.make_graph(nodes, "g", [a_value("t0", [1, first])], [a_value(f"t{len(nodes)}", None)], constants)
    graph.quantization_annotation.add(tensor_name="t0").quant_parameter_tensor_names.add(key="k", value="INT2")
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


@settings(deadline=None)
@given(models())
def test_what_is_inferred_is_what_onnx_infers_and_the_model_stays(model: onnx.ModelProto) -> None:
    before = model.SerializeToString(deterministic=True)
    expected = shape_inference.infer_shapes(model).SerializeToString(deterministic=True)
    found = INFER(model)
    assert found.SerializeToString(deterministic=True) == expected
    assert model.SerializeToString(deterministic=True) == before
    assert onnx.load_from_string(expected) == found


def a_model_with_weights() -> onnx.ModelProto:
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    product = helper.make_node("MatMul", ["t0", "w"], ["t1"])
    return helper.make_model(
        helper.make_graph([product], "g", [a_value("t0", [1, 64])], [a_value("t1", None)], [weights])
    )


def test_weights_are_left_out() -> None:
    seen = []

    def infer(model: Any) -> Any:
        seen.append(len(model.SerializeToString()))
        return shape_inference.infer_shapes(model)

    infer_without_weights(infer)(a_model_with_weights())
    assert seen[0] < 1000
