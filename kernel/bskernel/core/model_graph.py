"""A model's graph as nodes and tensors, without its numbers."""

from __future__ import annotations

from typing import Any

import msgspec


class ModelTensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of a graph. What the model does not state is None."""

    shape: tuple[int | None, ...] | None = None  # None in it: a dimension that has no number
    datatype: str | None = None  # QONNX's, e.g. UINT4


class ModelNode(msgspec.Struct, frozen=True, kw_only=True):
    """One node of a graph."""

    name: str
    operator: str
    inputs: tuple[str, ...] = ()  # tensors; an empty name stands for one that is left out
    outputs: tuple[str, ...] = ()
    attributes: dict[str, Any] = {}


class ModelGraph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes in the order of the file, and all tensors that have a shape, a data type or a value."""

    nodes: tuple[ModelNode, ...] = ()
    tensors: dict[str, ModelTensor] = {}
    inputs: tuple[str, ...] = ()  # without initializers
    outputs: tuple[str, ...] = ()
    initializers: frozenset[str] = frozenset()
