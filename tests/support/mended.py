"""A mend applied to a model, with its promise checked: the same outputs, bit for bit, and nothing left to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from support.seeded_networks import execute


def mend(model: Any, function: Callable[[Any], list[Any]], frames: list[Any]) -> list[Any]:
    """Mend the model in place and return the changes. Frames are those of the model before."""
    expected = [execute(model, {"input": frame}) for frame in frames]
    changes = function(model)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    for frame, wanted in zip(frames, expected, strict=True):
        found = execute(model, {"input": frame.reshape(shape)})
        assert [value.ravel().tolist() for value in found] == [value.ravel().tolist() for value in wanted]
    kept = model.SerializeToString(deterministic=True)
    assert function(model) == []
    assert model.SerializeToString(deterministic=True) == kept
    assert all(change.names and change.reason for change in changes)
    return changes


def kinds(model: Any) -> list[str]:
    """The operators of the model, in order."""
    return [node.op_type for node in model.graph.node]


def find(model: Any, kind: str) -> list[Any]:
    """The nodes of an operator."""
    return [node for node in model.graph.node if node.op_type == kind]


def value(model: Any, name: str) -> Any:
    """The value of an initializer."""
    (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    return onnx.numpy_helper.to_array(tensor)


def attribute(node: Any, name: str) -> Any:
    """The value of an attribute."""
    (found,) = [item for item in node.attribute if item.name == name]
    return onnx.helper.get_attribute_value(found)


def integers(seed: int, low: int, high: int, *shape: int) -> Any:
    """Whole numbers as float32."""
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(np.float32)
