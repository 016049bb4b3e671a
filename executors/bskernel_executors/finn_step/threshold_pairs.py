"""Pairs of the quantizers before FINN's conversion and the threshold nodes that it made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bskernel_executors.finn_step.quantizers import Quantizer


class ThresholdPair(NamedTuple):
    """A quantizer and its node; `node` is None, or no MultiThreshold, where FINN made no thresholds of it."""

    quantizer: Quantizer
    node: Any | None
    is_named: bool  # by the tensor that both make; else by their order alone


def pair_thresholds(before: Any, after: Any, quantizers: Sequence[Quantizer]) -> list[ThresholdPair]:
    """Pair by the tensor that both make; what is left, because a step renamed tensors, by the order of the graph.

    Nodes of both models must be sorted.
    """
    tensors = [_find_output(before, after, quantizer) for quantizer in quantizers]
    named = [None if tensor is None else _find_threshold_node(after, tensor) for tensor in tensors]
    taken = {node.output[0] for node in named if node is not None}
    rest = [node for node in after.graph.node if node.op_type == "MultiThreshold" and node.output[0] not in taken]
    if len(rest) != named.count(None):
        rest = []
    left = iter(rest)
    return [
        ThresholdPair(quantizer, node if node is not None else next(left, None), node is not None)
        for quantizer, node in zip(quantizers, named, strict=True)
    ]


def _find_threshold_node(model: Any, tensor: str) -> Any | None:
    """Go up from a quantizer's output through FINN's bias and scale to its MultiThreshold node."""
    for _ in range(3):
        node = model.find_producer(tensor)
        if node is None or node.op_type == "MultiThreshold":
            return node
        if node.op_type not in {"Add", "Mul"} or model.get_initializer(node.input[1]) is None:
            return None
        tensor = node.input[0]
    return None


def _find_output(before: Any, after: Any, quantizer: Quantizer) -> str | None:
    """Find the quantizer's output in the converted model: FINN's removal of identities renames it."""
    tensor = quantizer.output
    while after.find_producer(tensor) is None:
        consumers = before.find_consumers(tensor)
        if len(consumers) != 1 or len(consumers[0].output) != 1:
            return None
        tensor = consumers[0].output[0]
    return tensor
