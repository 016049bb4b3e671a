# /// script
# requires-python = ">=3.11,<3.12"
# dependencies = ["numpy==2.2.6", "onnx==1.17.0", "scikit-learn==1.6.1"]
# ///
"""Train a convolutional digits network offline; write digits_conv_w4a4.onnx and heldout.npz beside this file.

Three convolutions 1-8-16-10 with 3x3 kernels, from 8x8 to one place: 4-bit narrow signed weights in [-7, 7], 4-bit
unsigned activations in [0, 15], integer scores. Scales are powers of two and biases multiples of 1/64, so that
float32 evaluates the network exactly. Run with `uv run --script train.py`.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from pathlib import Path
from typing import NamedTuple

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save
from sklearn.datasets import load_digits


class Convolution(NamedTuple):
    """Channels and side of the input, channels of the output; kernels are 3x3."""

    channels: int
    side: int
    filters: int
    stride: int
    padding: int
    scale: float  # of the sums; the last one serves the loss alone

    @property
    def places(self):
        """Side of the output."""
        return (self.side + 2 * self.padding - 3) // self.stride + 1


LAYERS = (
    Convolution(1, 8, 8, 1, 0, 2.0**-3),
    Convolution(8, 6, 16, 2, 1, 2.0**-5),
    Convolution(16, 3, 10, 1, 0, 2.0**-6),
)
HELD_OUT, EPOCHS, BATCH = 450, 40, 32
HERE = Path(__file__).resolve().parent


def connections(layer):
    """Which weight joins which input (row) and output (column) of the layer as a matrix; -1 where none does."""
    found = np.full((layer.channels, layer.side, layer.side, layer.filters, layer.places, layer.places), -1)
    kernels = np.arange(layer.filters * layer.channels * 9).reshape(layer.filters, layer.channels, 3, 3)
    for row, column, y, x in np.ndindex(layer.places, layer.places, 3, 3):
        at = (row * layer.stride + y - layer.padding, column * layer.stride + x - layer.padding)
        if min(at) >= 0 and max(at) < layer.side:
            found[:, at[0], at[1], :, row, column] = kernels[:, :, y, x].T
    return found.reshape(layer.channels * layer.side**2, layer.filters * layer.places**2)


def quantize(weights):
    """Round half to even, as Quant's ROUND does, and clip to the narrow 4-bit range."""
    return np.clip(np.round(weights), -7, 7)


def matrices(weights, maps):
    """Each layer's quantized kernels as a matrix."""
    return [np.append(quantize(w), 0)[joined] for w, joined in zip(weights, maps, strict=True)]


def forward(x, dense, biases):
    """Return every layer's input, every hidden layer's value before rounding, and the integer scores."""
    inputs, before = [x], []
    for matrix, bias, layer in zip(dense[:-1], biases, LAYERS, strict=False):
        before.append(inputs[-1] @ matrix * layer.scale + np.repeat(bias, layer.places**2))
        inputs.append(np.round(np.clip(before[-1], 0, 15)))
    return inputs, before, inputs[-1] @ dense[-1]


def train(x, y):
    """Adam with straight-through estimates of the rounding's gradient; returns weights and biases, rounded."""
    rng = np.random.default_rng(0)
    maps = [connections(layer) for layer in LAYERS]
    weights = [rng.normal(0, 2, layer.filters * layer.channels * 9) for layer in LAYERS]
    biases = [np.zeros(layer.filters) for layer in LAYERS[:-1]]
    values = weights + biases
    first, second = ([np.zeros_like(v) for v in values] for _ in range(2))
    count = 0
    for epoch in range(EPOCHS):
        rate = 0.05 * (1 - epoch / EPOCHS)
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            chosen = order[start : start + BATCH]
            dense = matrices(weights, maps)
            inputs, before, scores = forward(x[chosen], dense, biases)
            logits = scores * LAYERS[-1].scale
            odds = np.exp(logits - logits.max(1, keepdims=True))
            delta = odds / odds.sum(1, keepdims=True)
            delta[np.arange(len(chosen)), y[chosen]] -= 1
            delta = delta / len(chosen) * LAYERS[-1].scale
            of_matrices, of_biases = [inputs[-1].T @ delta], []
            for at in (1, 0):
                back = delta @ dense[at + 1].T
                back *= (before[at] > 0) & (before[at] < 15)
                of_biases.insert(0, back.sum(0).reshape(LAYERS[at].filters, -1).sum(1))
                delta = back * LAYERS[at].scale
                of_matrices.insert(0, inputs[at].T @ delta)
            of_weights = [
                np.bincount(joined.ravel() + 1, gradient.ravel(), len(w) + 1)[1:]
                for joined, gradient, w in zip(maps, of_matrices, weights, strict=True)
            ]
            count += 1
            for i, gradient in enumerate(of_weights + of_biases):
                first[i] = 0.9 * first[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient**2
                values[i] -= rate * first[i] / (1 - 0.9**count) / (np.sqrt(second[i] / (1 - 0.999**count)) + 1e-8)
            for w in weights:
                np.clip(w, -7, 7, out=w)
    # No sum lies halfway between integers: QONNX would round it to the even one, the hardware's thresholds up.
    return [quantize(w) for w in weights], [np.round(b * 16) / 16 + 2.0**-6 for b in biases]


def export(weights, biases, path):
    """Write the network as QONNX: input 1x1x8x8 annotated UINT4, output 1x10x1x1 integer scores."""
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def node(kind, sources, target, domain="", **attributes):
        nodes.append(helper.make_node(kind, sources, [target], name=f"{kind}_{target}", domain=domain, **attributes))
        return target

    one, zero, bits = constant("one", 1.0), constant("zero", 0.0), constant("bits", 4.0)

    def quant(source, target, signed):
        attributes = {"signed": signed, "narrow": signed, "rounding_mode": "ROUND"}
        return node("Quant", [source, one, zero, bits], target, "qonnx.custom_op.general", **attributes)

    current = "input"
    for i, (weight, layer) in enumerate(zip(weights, LAYERS, strict=True)):
        kernels = weight.reshape(layer.filters, layer.channels, 3, 3)
        kernel = quant(constant(f"weight_{i}", kernels), f"quantized_weight_{i}", 1)
        last = i == len(weights) - 1
        # FINN reads group and dilations, though ONNX has defaults for them.
        shape = {"kernel_shape": [3, 3], "strides": [layer.stride] * 2, "pads": [layer.padding] * 4}
        shape |= {"group": 1, "dilations": [1, 1]}
        current = node("Conv", [current, kernel], "scores" if last else f"sum_{i}", **shape)
        if not last:
            current = node("Mul", [current, constant(f"scale_{i}", layer.scale)], f"scaled_{i}")
            current = node("Add", [current, constant(f"bias_{i}", biases[i].reshape(1, -1, 1, 1))], f"biased_{i}")
            current = quant(node("Relu", [current], f"rectified_{i}"), f"activation_{i}", 0)
    graph = helper.make_graph(
        nodes,
        "digits_conv_w4a4",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10, 1, 1])],
        constants,
    )
    annotation = graph.quantization_annotation.add(tensor_name="input")
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value="UINT4")
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    model = helper.make_model(graph, producer_name="digits-conv", opset_imports=opsets, ir_version=8)
    checker.check_model(model)
    save(model, path)


def main():
    """Train, write both files and print the held-out accuracy."""
    data = load_digits()
    images = np.clip(data.data, 0, 15)
    order = np.random.default_rng(1).permutation(len(images))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    weights, biases = train(images[rest], data.target[rest])
    maps = [connections(layer) for layer in LAYERS]
    scores = forward(images[held], matrices(weights, maps), biases)[2]
    print(f"held-out accuracy {np.mean(scores.argmax(1) == data.target[held]):.4f} on {HELD_OUT} images")
    export(weights, biases, HERE / "digits_conv_w4a4.onnx")
    inputs = images[held].reshape(-1, 1, 8, 8).astype(np.uint8)
    np.savez(HERE / "heldout.npz", inputs=inputs, labels=data.target[held].astype(np.uint8))


if __name__ == "__main__":
    main()
