# /// script
# requires-python = ">=3.11,<3.12"
# dependencies = ["numpy==2.2.6", "onnx==1.17.0"]
# ///
"""Draw a CNV network with 2-bit weights and activations from a seed; write cnv_2w2a.onnx beside this file.

CNV's layers in a quarter of its width: six 3x3 convolutions, two max pools, three fully connected layers, for frames
of 3x32x32 in steps of 1/256. Nothing is trained: the network shows hardware, not accuracy. Run with
`uv run --script draw.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

QONNX = "qonnx.custom_op.general"
CONVOLUTIONS = ((3, 16), (16, 16), None, (16, 32), (32, 32), None, (32, 64), (64, 64))  # None is a pool
DENSE = ((64, 128), (128, 128), (128, 10))
RANDOM = np.random.default_rng(0)


class Graph:
    """Nodes and constants; `last` is the tensor that the next node takes."""

    def __init__(self):
        self.nodes, self.constants, self.last = [], [], "image"

    def constant(self, value):
        """Add a constant; return its name."""
        self.constants.append(numpy_helper.from_array(np.float32(value), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def add(self, kind, *inputs, **attributes):
        """Add a node; return the tensor that it makes."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def quantize(self, tensor, scale, bits, signed, narrow):
        """Quantize a tensor."""
        parameters = [self.constant(value) for value in (scale, 0, bits)]
        options = {"signed": signed, "narrow": narrow, "rounding_mode": "ROUND", "domain": QONNX}
        return self.add("Quant", tensor, *parameters, **options)

    def weights(self, *shape):
        """Draw weights of -1, 0 and 1."""
        return self.quantize(self.constant(RANDOM.integers(-1, 2, shape)), 1, 2, 1, 1)

    def activate(self, products):
        """Add a ReLU of 2 bits behind sums of `products` terms."""
        # Sums of `products` random terms: a power of two near their standard deviation.
        scale = 2.0 ** round(np.log2(products) / 2)
        self.last = self.quantize(self.add("Relu", self.last), scale, 2, 0, 0)


def main():
    """Draw and write the network."""
    graph = Graph()
    graph.last = graph.quantize(graph.last, 1 / 256, 8, 0, 0)
    window = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1}
    for layer in CONVOLUTIONS:
        if layer is None:
            graph.last = graph.add("MaxPool", graph.last, kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
            continue
        inputs, outputs = layer
        graph.last = graph.add("Conv", graph.last, graph.weights(outputs, inputs, 3, 3), **window)
        graph.activate(9 * inputs)
    graph.last = graph.add("Flatten", graph.last, axis=1)
    for inputs, outputs in DENSE:
        graph.last = graph.add("MatMul", graph.last, graph.weights(inputs, outputs))
        if outputs != DENSE[-1][1]:
            graph.activate(inputs)
    ends = [helper.make_tensor_value_info(graph.last, TensorProto.FLOAT, [1, 10])]
    image = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])]
    made = helper.make_graph(graph.nodes, "cnv_2w2a", image, ends, graph.constants)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    checker.check_model(model)
    save(model, Path(__file__).with_name("cnv_2w2a.onnx"))


if __name__ == "__main__":
    main()
