"""Runs in FINN's own environment: makes small models that each are wrong in one way, in the folder it is given."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(sys.argv[1])
QONNX = "qonnx.custom_op.general"
RANDOM = np.random.default_rng(0)
DENSE = RANDOM.integers(-3, 4, (8, 4))
KERNEL = RANDOM.integers(-3, 4, (4, 2, 3, 3))
WINDOW = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [0, 0, 0, 0]}
Part = tuple[list[Any], list[Any]]  # nodes and constants


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value, dtype=np.float32), name)


def quant(source: str, target: str, scale: Any = 1.0, *, zero: float = 0.0, signed: int = 1) -> Part:
    names = [f"{target}_{kind}" for kind in ("scale", "zero", "bits")]
    node = helper.make_node(
        "Quant", [source, *names], [target], domain=QONNX, signed=signed, narrow=0, rounding_mode="ROUND"
    )
    return [node], [constant(name, value) for name, value in zip(names, (scale, zero, 4.0), strict=True)]


def weights(value: Any, name: str = "w") -> Part:
    nodes, constants = quant(name, f"{name}_q")
    return nodes, [constant(name, value), *constants]


def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Part:
    return [helper.make_node(kind, inputs, [output], **attributes)], []


def save(name: str, shape_in: list[int], shape_out: list[int], *parts: Part) -> None:
    values = [
        helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape)
        for tensor, shape in (("in", shape_in), ("out", shape_out))
    ]
    nodes = [node for part in parts for node in part[0]]
    constants = [constant for part in parts for constant in part[1]]
    graph = helper.make_graph(nodes, name, values[:1], values[1:], initializer=constants)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    onnx.save(model, FOLDER / f"{name}.onnx")


def dense(name: str, *after: Part, first: Part | None = None, shape_out: list[int] | None = None) -> None:
    parts = (first or quant("in", "q"), weights(DENSE), *after)
    save(name, [1, 8], shape_out or [1, 4], *parts)


def convolution(
    name: str, first: Part, kernel: Any = KERNEL, channels: int = 2, size: int = 6, **attributes: Any
) -> None:
    conv = node("Conv", ["q", "w_q"], "out", name="Conv_0", **{**WINDOW, **attributes})
    save(name, [1, channels, 8, 8], [1, 4, size, size], first, weights(kernel), conv)


FOLDER.mkdir(parents=True, exist_ok=True)
WHOLE: dict[str, Any] = {"group": 1, "dilations": [1, 1]}
product = node("MatMul", ["q", "w_q"], "out")
inner = node("MatMul", ["q", "w_q"], "product")
bipolar = ([helper.make_node("BipolarQuant", ["in", "one"], ["q"], domain=QONNX)], [constant("one", 1.0)])

dense("sound", inner, quant("product", "out", 0.3))
dense("zero-point", product, first=quant("in", "q", zero=2.0))
dense("shared-weights", inner, node("MatMul", ["q", "w_q"], "again"), node("Add", ["product", "again"], "out"))
dense("signed-relu", inner, node("Relu", ["product"], "relu"), quant("relu", "out"))
dense(
    "unmapped",
    inner,
    quant("product", "q1"),
    node("Elu", ["q1"], "elu"),
    quant("elu", "q2", 0.25, signed=0),
    weights(RANDOM.integers(-3, 4, (4, 3)), "w2"),
    node("MatMul", ["q2", "w2_q"], "out"),
    shape_out=[1, 3],
)
float_product = node("MatMul", ["in", "w_q"], "product")
small, last = weights(RANDOM.integers(-3, 4, (4, 3)), "w2"), node("MatMul", ["q2", "w2_q"], "out")
save("float-first", [1, 8], [1, 3], weights(DENSE), float_product, quant("product", "q2"), small, last)
save(
    "coded",
    [1, 8],
    [1, 4],
    node("QuantizeLinear", ["in", "one"], "coded"),
    node("DequantizeLinear", ["coded", "one"], "decoded"),
    node("MatMul", ["decoded", "w"], "out"),
    ([], [constant("w", DENSE), constant("one", 1.0)]),
)
convolution("no-defaults", quant("in", "q"))
convolution("scale-of-two-axes", quant("in", "q", np.ones((1, 2, 8, 1))), **WHOLE)
convolution("scale-along-rows", quant("in", "q", np.ones((1, 1, 8, 1))), **WHOLE)
convolution("padded-bipolar", bipolar, size=8, **{**WHOLE, "pads": [1, 1, 1, 1]})
save("five-dimensions", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], quant("in", "out"))
save("float-shapes", [1, 7], [1, 4], node("MatMul", ["in", "w"], "out"), ([], [constant("w", DENSE)]))
reshaped = ([helper.make_node("Reshape", ["w", "shape"], ["reshaped"], name="Reshape_0")], [constant("w", DENSE)])
shape: tuple[list[Any], list[Any]] = ([], [numpy_helper.from_array(np.array([3, 3]), "shape")])
save("unfoldable", [1, 8], [1, 4], quant("in", "q"), reshaped, quant("reshaped", "w_q"), shape, product)
save(
    "hardware",
    [1, 8],
    [1, 8],
    ([helper.make_node("MVAU", ["in"], ["out"], domain="finn.custom_op.fpgadataflow")], []),
)
save("unknown-operator", [1, 8], [1, 8], node("NoSuchOp", ["in"], "out", domain=QONNX))
save(
    "no-attribute",
    [1, 8],
    [1, 8],
    node("MultiThreshold", ["in", "t"], "out", domain=QONNX, name="MultiThreshold_0"),
    ([], [constant("t", np.zeros((1, 3)))]),
)
