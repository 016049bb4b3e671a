# /// script
# requires-python = ">=3.11,<3.12"
# dependencies = ["numpy==2.2.6", "onnx==1.17.0", "scikit-learn==1.6.1"]
# ///
"""Make a small residual network for digits offline; write resnet_small_w4a4.onnx and heldout.npz beside this file.

A convolution, three residual blocks (the second halves the sides and doubles the channels, with a convolution in
its shortcut) and a dense layer: 4-bit narrow signed weights, 4-bit activations, scores as output. The
convolutions are drawn from a seed; the dense layer is fitted to the features that they make. Scales are powers of
two. Run with `uv run --script train.py`.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save
from sklearn.datasets import load_digits

CHANNELS, HELD_OUT, RIDGE = 8, 450, 0.001
BLOCKS = ((CHANNELS, 1), (2 * CHANNELS, 2), (2 * CHANNELS, 1))  # channels of the output, stride
HERE = Path(__file__).resolve().parent


class Network:
    """Layers that compute features of images of shape (N, 1, 8, 8) while they are exported."""

    def __init__(self, images):
        self.random = np.random.default_rng(3)
        self.nodes, self.constants = [], []
        self.values = {"input": images}

    def constant(self, value):
        """Add a constant; return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def node(self, kind, sources, values, **attributes):
        """Add a node with the values that it outputs; return the name of its output."""
        target = f"{kind.lower()}_{len(self.nodes)}"
        domain = "qonnx.custom_op.general" if kind == "Quant" else ""
        self.nodes.append(helper.make_node(kind, sources, [target], name=target, domain=domain, **attributes))
        self.values[target] = values
        return target

    def quantize(self, source, scale, signed, narrow=0):
        """Quantize to 4 bits."""
        low, high = (narrow - 8, 7) if signed else (0, 15)
        values = np.clip(np.round(self.values[source] / scale), low, high) * scale
        parameters = [self.constant(value) for value in (scale, 0, 4)]
        return self.node("Quant", [source, *parameters], values, signed=signed, narrow=narrow, rounding_mode="ROUND")

    def find_scale(self, *sources, steps):
        """Find the power of two with which all but 2% of the values are below `steps` steps."""
        largest = max(np.quantile(np.abs(self.values[source]), 0.98) for source in sources)
        return 2.0 ** np.ceil(np.log2(max(largest, 1e-6) / steps))

    def activate(self, source):
        """Rectify and quantize."""
        rectified = self.node("Relu", [source], np.maximum(self.values[source], 0))
        return self.quantize(rectified, self.find_scale(rectified, steps=15), 0)

    def weights(self, values):
        """Add integer weights of 4 bits."""
        name = self.constant(values)
        self.values[name] = values
        return self.quantize(name, 1.0, 1, narrow=1)

    def convolve(self, source, filters, kernel=3, stride=1):
        """Convolve with kernels drawn from the seed."""
        inputs, pad = self.values[source], kernel // 2
        # Kernels of mean 0 tell edges apart, though all activations are positive.
        drawn = self.random.normal(0, 3, (filters, inputs.shape[1], kernel, kernel))
        drawn -= drawn.mean(axis=(1, 2, 3), keepdims=True)
        kernels = self.weights(np.clip(np.round(drawn), -7, 7))
        padded = np.pad(inputs, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
        sums = np.einsum("nchwyx,fcyx->nfhw", windows[:, :, ::stride, ::stride], self.values[kernels], optimize=True)
        # FINN reads group and dilations, though ONNX has defaults for them.
        shape = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": 1}
        return self.node("Conv", [source, kernels], sums, dilations=[1, 1], **shape)

    def block(self, source, filters, stride):
        """Add a residual block of two convolutions."""
        inner = self.convolve(self.activate(self.convolve(source, filters, stride=stride)), filters)
        plain = stride == 1 and self.values[source].shape[1] == filters
        around = source if plain else self.convolve(source, filters, kernel=1, stride=stride)
        # Both branches have one scale, so hardware adds integers.
        scale = self.find_scale(inner, around, steps=7)
        branches = [self.quantize(branch, scale, 1) for branch in (inner, around)]
        return self.activate(self.node("Add", branches, sum(self.values[branch] for branch in branches)))

    def export(self, result, path):
        """Write the network as QONNX: input 1x1x8x8 annotated UINT4, output 1x10 scores."""
        ends = [("input", [1, 1, 8, 8]), (result, [1, 10])]
        taken, given = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends)
        graph = helper.make_graph(self.nodes, "resnet_small_w4a4", [taken], [given], self.constants)
        annotation = graph.quantization_annotation.add(tensor_name="input")
        annotation.quant_parameter_tensor_names.add(key="finn_datatype", value="UINT4")
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
        model = helper.make_model(graph, producer_name="resnet-small", opset_imports=opsets, ir_version=8)
        checker.check_model(model)
        save(model, path)


def fit(features, labels):
    """Fit a dense layer by ridge regression, and scale it to 4-bit weights."""
    wanted = np.eye(10)[labels] - 0.1
    power = features.T @ features
    weights = np.linalg.solve(power + RIDGE * power.trace() * np.eye(len(power)), features.T @ wanted)
    return np.clip(np.round(weights / np.quantile(np.abs(weights), 0.98) * 7), -7, 7)


def main():
    """Make the network, write both files and print the held-out accuracy."""
    data = load_digits()
    order = np.random.default_rng(1).permutation(len(data.data))
    images, labels = np.clip(data.images[order], 0, 15)[:, None], data.target[order]
    network = Network(images)
    tensor = network.activate(network.convolve("input", CHANNELS))
    for filters, stride in BLOCKS:
        tensor = network.block(tensor, filters, stride)
    features = network.values[tensor].reshape(len(images), -1)
    flat = network.node("Flatten", [tensor], features, axis=1)
    dense = network.weights(fit(features[HELD_OUT:], labels[HELD_OUT:]))
    scores = network.node("MatMul", [flat, dense], features @ network.values[dense])
    right = network.values[scores][:HELD_OUT].argmax(1) == labels[:HELD_OUT]
    print(f"held-out accuracy {right.mean():.4f} on {HELD_OUT} images")
    network.export(scores, HERE / "resnet_small_w4a4.onnx")
    inputs = images[:HELD_OUT].astype(np.uint8)
    np.savez(HERE / "heldout.npz", inputs=inputs, labels=labels[:HELD_OUT].astype(np.uint8))


if __name__ == "__main__":
    main()
