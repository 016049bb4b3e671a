"""auto_pad, resolved: the pads give the same as onnxruntime's own reading of auto_pad."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from bskernel_executors.qonnx_transform.adaptation.auto_pad import resolve_auto_pad
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from support.seeded_networks import draw_frame

CHANNELS = 2


def make(kind: str, size: tuple[int, int], **attributes: Any) -> Any:
    constants, inputs = [], ["x"]
    if "Conv" in kind:
        kernel = np.random.default_rng(0).integers(-3, 4, (CHANNELS, CHANNELS, *attributes["kernel_shape"]))
        constants, inputs = [numpy_helper.from_array(kernel.astype(np.float32), "w")], ["x", "w"]
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, ["y"], name="node", **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, *size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return onnx.shape_inference.infer_shapes(model)


def run(model: Any, frame: Any) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": frame})[0]


SIZES = st.tuples(st.integers(5, 9), st.integers(5, 9))
SMALL = st.integers(1, 3)


@given(
    st.sampled_from(["Conv", "MaxPool", "AveragePool", "ConvTranspose"]),
    st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]),
    SIZES,
    st.tuples(SMALL, SMALL),
    st.tuples(SMALL, SMALL),
    st.integers(1, 2),
)
def test_pads_give_what_auto_pad_does(
    kind: str, mode: str, size: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int], dilation: int
) -> None:
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "auto_pad": mode}
    # onnxruntime resolves neither SAME with dilation nor windows that skip values.
    assume(mode == "VALID" or all(k >= s for k, s in zip(kernel, strides, strict=True)))
    if kind == "Conv" and mode == "VALID":
        attributes["dilations"] = [dilation, dilation]
    model = make(kind, size, **attributes)
    frame = draw_frame(0, 1, CHANNELS, *size)
    expected = run(model, frame)
    (change,) = resolve_auto_pad(model)
    assert change.before == f"auto_pad = {mode}"
    written = {attribute.name for attribute in model.graph.node[0].attribute}
    assert "pads" in written
    assert "auto_pad" not in written
    np.testing.assert_allclose(run(model, frame), expected, rtol=1e-5)
    assert resolve_auto_pad(model) == []


def test_a_node_of_unknown_size_keeps_its_auto_pad() -> None:
    model = make("Conv", (5, 5), kernel_shape=[3, 3], auto_pad="SAME_UPPER")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert resolve_auto_pad(model) == []
    assert "auto_pad" in {attribute.name for attribute in model.graph.node[0].attribute}


def test_notset_is_the_default_and_no_change() -> None:
    model = make("Conv", (5, 5), kernel_shape=[3, 3], auto_pad="NOTSET", pads=[1, 1, 1, 1])
    expected = run(model, draw_frame(0, 1, CHANNELS, 5, 5))
    assert resolve_auto_pad(model) == []
    np.testing.assert_array_equal(run(model, draw_frame(0, 1, CHANNELS, 5, 5)), expected)
