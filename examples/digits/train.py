# /// script
# requires-python = ">=3.11,<3.12"
# dependencies = ["numpy==2.2.6", "onnx==1.17.0", "scikit-learn==1.6.1"]
# ///
"""Train the digits network offline and write digits_w4a4.onnx and heldout.npz beside this file.

A 64-32-32-10 MLP: 4-bit narrow signed weights in [-7, 7], 4-bit unsigned activations in [0, 15], integer scores.
Scales are powers of two and biases multiples of 1/64, so that float32 evaluates the network exactly.
Run with `uv run --script train.py`.
"""

from __future__ import annotations

import itertools
import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save
from sklearn.datasets import load_digits

SIZES = (64, 32, 32, 10)
SCALES = (2.0**-5, 2.0**-4, 2.0**-5)  # the last one serves the loss alone; the network's output stays integer
HELD_OUT, EPOCHS, BATCH = 450, 150, 32
HERE = Path(__file__).resolve().parent


def quantize(weights):
    """Round half to even, as Quant's ROUND does, and clip to the narrow 4-bit range."""
    return np.clip(np.round(weights), -7, 7)


def forward(x, weights, biases):
    """Return every layer's input, every hidden layer's value before rounding, and the integer scores."""
    inputs, before = [x], []
    for w, b, scale in zip(weights[:-1], biases, SCALES, strict=False):
        before.append(inputs[-1] @ quantize(w) * scale + b)
        inputs.append(np.round(np.clip(before[-1], 0, 15)))
    return inputs, before, inputs[-1] @ quantize(weights[-1])


def train(x, y):
    """Adam with straight-through estimates of the rounding's gradient; returns weights and biases, rounded."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 2, pair) for pair in itertools.pairwise(SIZES)]
    biases = [np.zeros(size) for size in SIZES[1:-1]]
    values = weights + biases
    first, second = ([np.zeros_like(v) for v in values] for _ in range(2))
    count = 0
    for epoch in range(EPOCHS):
        rate = 0.05 * (1 - epoch / EPOCHS)
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            chosen = order[start : start + BATCH]
            inputs, before, scores = forward(x[chosen], weights, biases)
            logits = scores * SCALES[-1]
            odds = np.exp(logits - logits.max(1, keepdims=True))
            delta = odds / odds.sum(1, keepdims=True)
            delta[np.arange(len(chosen)), y[chosen]] -= 1
            delta = delta / len(chosen) * SCALES[-1]
            of_weights, of_biases = [inputs[-1].T @ delta], []
            for layer in (1, 0):
                back = delta @ quantize(weights[layer + 1]).T
                back *= (before[layer] > 0) & (before[layer] < 15)
                of_biases.insert(0, back.sum(0))
                delta = back * SCALES[layer]
                of_weights.insert(0, inputs[layer].T @ delta)
            count += 1
            for i, gradient in enumerate(of_weights + of_biases):
                first[i] = 0.9 * first[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient**2
                step = first[i] / (1 - 0.9**count) / (np.sqrt(second[i] / (1 - 0.999**count)) + 1e-8)
                values[i] -= rate * step
            for w in weights:
                np.clip(w, -7, 7, out=w)
    # No sum lies halfway between integers: QONNX would round it to the even one, the hardware's thresholds up.
    return [quantize(w) for w in weights], [np.round(b * 16) / 16 + 2.0**-6 for b in biases]


def export(weights, biases, path):
    """Write the network as QONNX: input 1x64 annotated UINT4, output 1x10 integer scores."""
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    one, zero, bits = constant("one", 1.0), constant("zero", 0.0), constant("bits", 4.0)

    def quant(source, target, signed):
        attributes = {"signed": signed, "narrow": signed, "rounding_mode": "ROUND"}
        nodes.append(
            helper.make_node(
                "Quant",
                [source, one, zero, bits],
                [target],
                name=f"Quant_{target}",
                domain="qonnx.custom_op.general",
                **attributes,
            )
        )

    def node(kind, sources, target):
        nodes.append(helper.make_node(kind, sources, [target], name=f"{kind}_{target}"))
        return target

    current = "input"
    for i, weight in enumerate(weights):
        quant(constant(f"weight_{i}", weight), f"quantized_weight_{i}", 1)
        last = i == len(weights) - 1
        current = node("MatMul", [current, f"quantized_weight_{i}"], "scores" if last else f"sum_{i}")
        if not last:
            current = node("Mul", [current, constant(f"scale_{i}", SCALES[i])], f"scaled_{i}")
            current = node("Add", [current, constant(f"bias_{i}", biases[i])], f"biased_{i}")
            current = node("Relu", [current], f"rectified_{i}")
            quant(current, f"activation_{i}", 0)
            current = f"activation_{i}"
    graph = helper.make_graph(
        nodes,
        "digits_w4a4",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, SIZES[0]])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, SIZES[-1]])],
        constants,
    )
    annotation = graph.quantization_annotation.add(tensor_name="input")
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value="UINT4")
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    model = helper.make_model(graph, producer_name="digits", opset_imports=opsets, ir_version=8)
    checker.check_model(model)
    save(model, path)


def main():
    """Train, write both files and print the held-out accuracy."""
    data = load_digits()
    images = np.clip(data.data, 0, 15)
    order = np.random.default_rng(1).permutation(len(images))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    weights, biases = train(images[rest], data.target[rest])
    scores = forward(images[held], weights, biases)[2]
    print(f"held-out accuracy {np.mean(scores.argmax(1) == data.target[held]):.4f} on {HELD_OUT} images")
    export(weights, biases, HERE / "digits_w4a4.onnx")
    np.savez(HERE / "heldout.npz", inputs=images[held].astype(np.uint8), labels=data.target[held].astype(np.uint8))


if __name__ == "__main__":
    main()
