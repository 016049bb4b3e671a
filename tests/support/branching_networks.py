"""Runs in FINN's own environment: makes networks that branch, pool or end in scores, from a seed, in a folder."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


class Network:
    """A graph that grows by layers; each method returns the name of the tensor that its layer makes."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.random = name, np.random.default_rng(len(name))
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.input = helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)
        self.start = self.quantize("in", 8, 1 / 64, signed=1)

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{kind}_{name}", **attributes))
        return name

    def quantize(self, source: str, bits: int, scale: Any, signed: int) -> str:
        parameters = [self.constant(value) for value in (scale, 0, bits)]
        options = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return self.node("Quant", [source, *parameters], domain=QONNX, **options)

    def activate(self, source: str, scale: float = 0.25) -> str:
        return self.quantize(self.node("Relu", [source]), 4, scale, signed=0)

    def weights(self, *shape: int) -> str:
        return self.quantize(self.constant(self.random.integers(-3, 4, shape) / 8), 4, 1 / 8, signed=1)

    def convolve(
        self, source: str, inputs: int, outputs: int, kernel: int = 3, group: int = 1, stride: int = 1
    ) -> str:
        pad, square = [kernel // 2] * 4, [kernel, kernel]
        weights = self.weights(outputs, inputs // group, *square)
        window = {
            "kernel_shape": square,
            "strides": [stride, stride],
            "pads": pad,
            "dilations": [1, 1],
            "group": group,
        }
        return self.node("Conv", [source, weights], **window)

    def pool(self, source: str) -> str:
        return self.node("MaxPool", [source], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])

    def resize(self, source: str) -> str:
        modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", [source, self.constant([]), self.constant([1, 1, 2, 2])], **modes)

    def save(self, folder: Path, result: str, shape: tuple[int, ...], **others: tuple[int, ...]) -> None:
        results = {result: shape, **others}
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, of) for name, of in results.items()]
        graph = helper.make_graph(self.nodes, self.name, [self.input], ends, initializer=self.constants)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        onnx.save(model, folder / f"{self.name}.onnx")


def residual(folder: Path, name: str, *, scales: tuple[float, float]) -> None:
    """Two convolutions with a shortcut around them; `scales` are those of the branches."""
    net = Network(name, (1, 3, 6, 6))
    first = net.activate(net.convolve(net.start, 3, 4))
    inner = net.convolve(net.activate(net.convolve(first, 4, 4)), 4, 4)
    branches = [net.quantize(tensor, 4, scale, 1) for tensor, scale in zip((inner, first), scales, strict=True)]
    joined = net.activate(net.node("Add", branches))
    net.save(folder, net.convolve(joined, 4, 2, kernel=1), (1, 2, 6, 6))


def residual_blocks(folder: Path) -> None:
    """A small ResNet: three residual blocks, the second with a stride and a convolution in its shortcut; scores."""
    net = Network("residual-blocks", (1, 3, 8, 8))
    tensor, channels, size = net.activate(net.convolve(net.start, 3, 4)), 4, 8
    for outputs, stride in ((4, 1), (6, 2), (6, 1)):
        inner = net.activate(net.convolve(tensor, channels, outputs, stride=stride))
        inner = net.convolve(inner, outputs, outputs)
        plain = stride == 1 and outputs == channels
        around = tensor if plain else net.convolve(tensor, channels, outputs, kernel=1, stride=stride)
        tensor = net.activate(net.node("Add", [net.quantize(one, 4, 0.25, 1) for one in (inner, around)]))
        channels, size = outputs, size // stride
    pooled = net.node("MaxPool", [tensor], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    flat = net.node("Flatten", [pooled], axis=1)
    net.save(folder, net.node("MatMul", [flat, net.weights(channels * (size // 2) ** 2, 5)]), (1, 5))


def skip(folder: Path) -> None:
    """A small U-Net: pooled, raised by nearest neighbour, joined with what was before the pool."""
    net = Network("skip", (1, 3, 8, 8))
    down = net.activate(net.convolve(net.start, 3, 4))
    deep = net.activate(net.convolve(net.pool(down), 4, 4))
    joined = net.node("Concat", [down, net.resize(deep)], axis=1)
    net.save(folder, net.convolve(joined, 8, 2), (1, 2, 8, 8))


def transposed(folder: Path, name: str, kernel: tuple[int, int], pads: list[int], **attributes: Any) -> None:
    """A transposed convolution that doubles height and width."""
    net = Network(name, (1, 3, 4, 4))
    inner = net.activate(net.convolve(net.start, 3, 4))
    window = {"kernel_shape": kernel, "strides": [2, 2], "pads": pads, "dilations": [1, 1], "group": 1}
    raised = net.activate(net.node("ConvTranspose", [inner, net.weights(4, 4, *kernel)], **window, **attributes))
    net.save(folder, net.convolve(raised, 4, 2), (1, 2, 8, 8))


def small(folder: Path) -> None:
    """Networks with one layer each that FINN's order for chains leaves behind."""
    net = Network("pooled-before-activation", (1, 3, 8, 8))
    pooled = net.activate(net.pool(net.convolve(net.start, 3, 4)))
    net.save(folder, net.convolve(pooled, 4, 2), (1, 2, 4, 4))
    net = Network("grouped", (1, 4, 6, 6))
    net.save(folder, net.convolve(net.activate(net.convolve(net.start, 4, 8, group=2)), 8, 2), (1, 2, 6, 6))
    net = Network("depthwise", (1, 4, 6, 6))
    inner = net.activate(net.convolve(net.activate(net.convolve(net.start, 4, 4)), 4, 4, group=4))
    net.save(folder, net.convolve(inner, 4, 2, kernel=1), (1, 2, 6, 6))
    transposed(folder, "transposed", (2, 2), [0, 0, 0, 0])
    transposed(folder, "transposed-oblong", (2, 4), [0, 1, 0, 1])
    transposed(folder, "transposed-with-output-padding", (3, 3), [1, 1, 1, 1], output_padding=[1, 1])
    transposed(folder, "transposed-uneven", (3, 3), [0, 0, 1, 1])
    net = Network("raised", (1, 3, 4, 4))
    net.save(folder, net.convolve(net.resize(net.activate(net.convolve(net.start, 3, 4))), 4, 2), (1, 2, 8, 8))
    net = Network("gated", (1, 3, 6, 6))
    first = net.activate(net.convolve(net.start, 3, 4))
    gated = net.activate(net.node("Mul", [first, net.activate(net.convolve(first, 4, 4))]))
    net.save(folder, net.convolve(gated, 4, 2), (1, 2, 6, 6))
    net = Network("forked-pool", (1, 3, 8, 8))
    pooled = net.pool(net.activate(net.convolve(net.start, 3, 4)))
    inner = net.convolve(net.activate(net.convolve(pooled, 4, 4)), 4, 6)
    branches = [net.quantize(tensor, 4, 0.5, 1) for tensor in (inner, net.convolve(pooled, 4, 6, kernel=1))]
    net.save(folder, net.convolve(net.activate(net.node("Add", branches)), 6, 2), (1, 2, 4, 4))
    net = Network("pooled-globally", (1, 3, 4, 4))
    pooled = net.node("GlobalAveragePool", [net.activate(net.convolve(net.start, 3, 4))])
    flat = net.node("Flatten", [pooled], axis=1)
    net.save(folder, net.node("MatMul", [flat, net.weights(4, 5)]), (1, 5))
    net = Network("scored", (1, 6))
    scores = net.node("MatMul", [net.activate(net.node("MatMul", [net.start, net.weights(6, 5)])), net.weights(5, 3)])
    net.save(folder, net.node("Sigmoid", [scores]), (1, 3))


def affine(folder: Path) -> None:
    """Two heads, one a thousand times larger; a bias that no threshold takes; an output that layers read, too."""
    net = Network("two-heads", (1, 6))
    shared = net.activate(net.node("MatMul", [net.start, net.weights(6, 5)]))
    small, large = (net.node("MatMul", [shared, net.weights(5, size)]) for size in (3, 4))
    net.save(folder, net.node("Mul", [large, net.constant(1024)]), (1, 4), **{small: (1, 3)})
    net = Network("biases-between-layers", (1, 6))
    first = net.node("Add", [net.node("MatMul", [net.start, net.weights(6, 5)]), net.constant(np.arange(5) / 8)])
    second = net.node("Add", [net.node("MatMul", [first, net.weights(5, 4)]), net.constant(np.arange(4) / 4)])
    net.save(folder, net.node("MatMul", [net.activate(second), net.weights(4, 3)]), (1, 3))
    net = Network("early-output", (1, 6))
    early = net.activate(net.node("MatMul", [net.start, net.weights(6, 5)]))
    net.save(folder, net.node("MatMul", [early, net.weights(5, 3)]), (1, 3), **{early: (1, 5)})


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    residual(target, "residual", scales=(0.25, 0.25))
    residual(target, "residual-multiples", scales=(0.125, 0.5))
    residual(target, "residual-unrelated", scales=(0.3, 0.25))
    residual_blocks(target)
    skip(target)
    small(target)
    affine(target)
