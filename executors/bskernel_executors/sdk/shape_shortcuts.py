"""A shortcut through ONNX's shape inference: it runs without weights, of which it makes six copies.

The model is serialised for the C++ library, parsed and serialised there, and parsed again. No shape depends on
thousands of numbers with fractions: what decides shapes are integers, one for each axis, and the scales of Resize.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

_FEWEST = 4096  # values of a tensor that is left out; copying fewer takes no time
_FLOAT, _FLOAT16, _DOUBLE = 1, 10, 11  # TensorProto.DataType


def infer_without_weights(by_onnx: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make the replacement of onnx.shape_inference.infer_shapes, as QONNX calls it: with a model alone."""

    def infer_shapes(model: Any) -> Any:
        weights = [
            at
            for at, tensor in enumerate(model.graph.initializer)
            if tensor.data_type in (_FLOAT, _FLOAT16, _DOUBLE)
            and math.prod(tensor.dims) >= _FEWEST
            and tensor.HasField("raw_data")
        ]
        if not weights:
            return by_onnx(model)
        light = type(model)()
        light.CopyFrom(model)
        for at in weights:
            light.graph.initializer[at].ClearField("raw_data")
        inferred = by_onnx(light)
        for at in weights:
            inferred.graph.initializer[at].raw_data = model.graph.initializer[at].raw_data
        return inferred

    return infer_shapes
