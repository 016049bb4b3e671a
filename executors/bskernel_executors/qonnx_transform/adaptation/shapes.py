"""Shapes of tensors as far as they can be inferred."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

Shape = tuple[int, ...]


def infer_shapes(model: Any) -> dict[str, Shape]:
    """Infer the shape of each tensor of an onnx.ModelProto. Tensors of unknown rank or size are left out."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.infer_shapes import InferShapes

    wrapper = ModelWrapper(copy.deepcopy(model))
    with contextlib.suppress(Exception):  # whatever cannot be inferred, the shapes that the model states remain
        wrapper = wrapper.transform(InferShapes())
    found = {tensor.name: tuple(tensor.dims) for tensor in wrapper.graph.initializer}
    for value in (*wrapper.graph.input, *wrapper.graph.output, *wrapper.graph.value_info):
        shape = read_shape(value)
        if shape is not None:
            found[value.name] = shape
    return found


def read_shape(value: Any) -> Shape | None:
    """Return the shape that a ValueInfoProto states, or None if a dimension is unknown."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    sizes = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    return sizes if all(size > 0 for size in sizes) else None
