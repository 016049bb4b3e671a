"""Turn a model for one frame into a model for a batch of frames: a guess that the caller must check."""

from __future__ import annotations

import copy
import math
from typing import Any

_VALUES = 1 << 24  # in all tensors of a batch together: 64 MiB of float32
_MOST = 256


def batch_size(model: Any, frames: int) -> int:
    """Return how many frames to execute at once so that all tensors together stay within 64 MiB."""
    infos = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    values: int = sum(math.prod(model.get_tensor_shape(info.name) or [0]) for info in infos)
    most = max(1, min(_MOST, _VALUES // max(1, values)))
    return math.ceil(frames / math.ceil(frames / most))  # batches of similar size: the last one is padded


def find_activations(model: Any, taken: str) -> frozenset[str]:
    """Return the tensors that depend on the input `taken`, which quantized weights do not. Nodes must be sorted."""
    found = {taken}
    for node in model.graph.node:
        if not found.isdisjoint(node.input):
            found.update(filter(None, node.output))
    return frozenset(found)


def make_batched(model: Any, taken: str, size: int) -> Any:
    """Return a copy whose activations have `size` as their first dimension instead of 1; `taken` is its input.

    The number of frames changes wherever else it is stated: in Reshape's shape and in FINN's `numInputVectors`.
    """
    model = copy.deepcopy(model)
    constants = {initializer.name for initializer in model.graph.initializer}
    changed = find_activations(model, taken)
    for info in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        dims = info.type.tensor_type.shape.dim
        if info.name in changed and dims and dims[0].dim_value == 1:
            dims[0].dim_value = size
    for at, node in enumerate(model.graph.node):
        if changed.isdisjoint(node.input):
            continue
        for attribute in node.attribute:
            if attribute.name == "numInputVectors" and attribute.ints and attribute.ints[0] == 1:
                attribute.ints[0] = size
        if node.op_type == "Reshape" and node.input[1] in constants:
            shape = model.get_initializer(node.input[1]).copy()
            if shape.size and shape[0] == 1:
                shape[0] = size
                node.input[1] = f"batched_shape_{at}"  # other nodes may share the old one
                model.set_initializer(node.input[1], shape)
    return model
