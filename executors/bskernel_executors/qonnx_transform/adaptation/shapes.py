"""Shapes and types of tensors, as far as they can be inferred."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

Shape = tuple[int, ...]


def infer_shapes(model: Any) -> dict[str, Shape]:
    """Infer the shape of each tensor of an onnx.ModelProto. Tensors of unknown rank or size are left out."""
    graph = _infer(model)
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shape = read_shape(value)
        if shape is not None:
            found[value.name] = shape
    return found


def infer_types(model: Any) -> dict[str, int]:
    """Infer the ONNX element type of each tensor, as far as it is known."""
    graph = _infer(model)
    found = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type:
            found[value.name] = value.type.tensor_type.elem_type
    return found


def _infer(model: Any) -> Any:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.infer_shapes import InferShapes

    wrapper = ModelWrapper(copy.deepcopy(model), fix_missing_initializer_valueinfo=False)
    with contextlib.suppress(Exception):  # whatever cannot be inferred, what the model states remains
        wrapper, _ = InferShapes().apply(wrapper)  # without the clean-up of `transform`, which takes most of its time
    return wrapper.graph


def read_shape(value: Any) -> Shape | None:
    """Return the shape that a ValueInfoProto states, or None if a dimension is unknown."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    sizes = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    return sizes if all(size > 0 for size in sizes) else None
