"""Small quantized networks made from a seed, as qonnx likes them: every attribute written, every node named."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


class Network:
    """Collects nodes and constants; values are multiples of 1/8, so that sums are exact in any order."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._shape = shape
        self.last = "input"

    def constant(self, values: Any, name: str | None = None, dtype: Any = np.float32) -> str:
        name = name or f"p{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def draw(self, *shape: int) -> Any:
        return self._random.integers(-7, 8, shape) / 8

    def node(self, kind: str, *more: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        name = f"{kind}_{sum(node.op_type == kind for node in self.nodes)}"
        made = [f"{name}_out{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(kind, [self.last, *more], made, name=name, domain=domain, **attributes))
        self.last = made[0]
        return self.last

    def quantize(self, bits: int = 4, scale: float = 0.125, *, signed: int = 1, zero: float = 0.0) -> str:
        parameters = [self.constant(value) for value in (scale, zero, float(bits))]
        return self.node("Quant", *parameters, domain=QONNX, signed=signed, narrow=0, rounding_mode="ROUND")

    def weights(self, *shape: int) -> str:
        """Quantized weights; the chain of activations goes on where it was."""
        before = self.last
        self.last = self.constant(self.draw(*shape))
        made = self.quantize()
        self.last = before
        return made

    def model(self, shape: tuple[int, ...], *more: tuple[str, tuple[int, ...]]) -> Any:
        """The model, whose output has this shape. `more` are outputs besides the last tensor."""
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self._shape)],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
                for name, sizes in ((self.last, shape), *more)
            ],
            self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)])
        made.ir_version = 8
        made.producer_name = "tests"
        return made


def make_mlp(seed: int, *, batch: int = 1, inputs: int = 6, hidden: int = 5, outputs: int = 3) -> Any:
    """Two quantized layers with a quantized activation between."""
    network = Network(seed, (batch, inputs))
    network.quantize()
    network.node("MatMul", network.weights(inputs, hidden))
    network.node("Relu")
    network.quantize(signed=0)
    network.node("MatMul", network.weights(hidden, outputs))
    return network.model((batch, outputs))


def make_cnn(seed: int, *, batch: int = 1) -> Any:
    """Convolution, pool, flatten by Reshape, and a fully connected layer."""
    network = Network(seed, (batch, 2, 6, 6))
    network.quantize()
    window: dict[str, Any] = {
        "kernel_shape": [3, 3],
        "strides": [1, 1],
        "pads": [0, 0, 0, 0],
        "dilations": [1, 1],
        "group": 1,
    }
    network.node("Conv", network.weights(3, 2, 3, 3), **window)
    network.node("Relu")
    network.quantize(signed=0)
    network.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    network.node("Reshape", network.constant([batch, 12], dtype=np.int64))
    network.node("MatMul", network.weights(12, 3))
    return network.model((batch, 3))


def execute(model: Any, inputs: dict[str, Any]) -> list[Any]:
    """The outputs of a model, node by node by qonnx."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return list(execute_onnx(ModelWrapper(copied).transform(InferShapes()), inputs).values())


def draw_frame(seed: int, *shape: int) -> Any:
    """Values in steps of 1/16: half of them are exact halves of a quantizer's step."""
    return (np.random.default_rng(seed).integers(-32, 33, shape) / 16).astype(np.float32)
