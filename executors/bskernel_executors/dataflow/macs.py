"""Count the multiply-accumulates of a node, whether it is ONNX's, QONNX's or FINN's.

The model is a QONNX ModelWrapper; nothing of QONNX is imported. Convolutions and products are counted, elementwise
operators are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from bskernel_executors.dataflow.operators import operator_of

MULTIPLIES = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "MVAU", "VVAU"})


def multiplies(node: Any) -> bool:
    """Return whether the node is a convolution or a product, in software or hardware."""
    return operator_of(node.op_type) in MULTIPLIES


def count_macs(model: Any, node: Any) -> int | None:
    """Count the multiply-accumulates of a node that multiplies, per execution. None if shapes are unknown."""
    operator = operator_of(node.op_type)
    given, weights, out = (_shape(model, name) for name in (*node.input[:2], node.output[0]))
    if out is None:
        return None
    if operator == "MVAU":
        return prod(out) * _integers(node)["MW"][0]
    if operator == "VVAU":
        return prod(out) * prod(_integers(node)["Kernel"])
    if given is None or weights is None:
        return None
    if operator == "ConvTranspose":
        return prod(given) * prod(weights[1:])  # weights: [input channels, output channels per group, kernel...]
    if operator == "Conv":
        return prod(out) * prod(weights[1:])  # weights: [output channels, input channels per group, kernel...]
    if operator == "MatMul" and (kernel := _depthwise_kernel(model, node)) is not None:
        return prod(out) * prod(kernel)
    return prod(out) * (given[0] if _integers(node).get("transA", [0])[0] else given[-1])


def count_weights(model: Any, node: Any) -> int | None:
    """Count the elements of a multiplying node's second operand, without zeros of a lowered depthwise convolution."""
    shape = _shape(model, node.input[1])
    if shape is None:
        return None
    kernel = _depthwise_kernel(model, node)
    return prod(kernel) * shape[-1] if kernel is not None else prod(shape)


def _shape(model: Any, tensor: str) -> Sequence[int] | None:
    shape = model.get_tensor_shape(tensor)
    # QONNX gives no shape for an unknown rank, and 0 for an unknown dimension.
    return [int(size) for size in shape] if shape and min(shape) > 0 else None


def _integers(node: Any) -> Mapping[str, Sequence[int]]:
    return {attribute.name: list(attribute.ints) or [attribute.i] for attribute in node.attribute}


def _depthwise_kernel(model: Any, node: Any) -> Sequence[int] | None:
    """Return the kernel of a depthwise convolution that QONNX lowered to a MatMul with a sparse matrix."""
    sparsity = model.get_tensor_sparsity(node.input[1])
    return sparsity["dw"]["kernel_shape"] if sparsity and "dw" in sparsity else None
