"""The number format of a tensor: as annotated, or as the quantizer before it makes it."""

from __future__ import annotations

from math import prod
from typing import Any

from bskernel_executors.dataflow.layers import Numbers

QUANTIZERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold"})
# They move values about and leave each as it is.
_MOVE = frozenset({"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "MaxPool", "Im2Col"})
# What stands between a layer and the quantizer of its activations.
_SHAPE_ACTIVATIONS = _MOVE | {"Mul", "Add", "Sub", "Div", "Relu", "BatchNormalization", "Clip"}
_CODED = frozenset({"QuantizeLinear", "DequantizeLinear", "FloatQuant"})


def numbers(model: Any, tensor: str, datatype: Any) -> Numbers:
    """The tensor's numbers in that format, counted where its shape is known."""
    shape = model.get_tensor_shape(tensor)
    # QONNX has no dimensions where the rank is unknown, and 0 for one that is.
    known = bool(shape) and all(size > 0 for size in shape)
    return Numbers(
        datatype=str(datatype.name), bits=int(datatype.bitwidth()), count=int(prod(shape)) if known else None
    )


def is_constant(model: Any, tensor: str) -> bool:
    """Is the tensor a parameter, perhaps quantized or moved about?"""
    while model.get_initializer(tensor) is None:
        producer = model.find_producer(tensor)
        if producer is None or producer.op_type not in QUANTIZERS | _MOVE | _CODED or not producer.input:
            return False
        tensor = producer.input[0]
    return True


def _quantized(model: Any, node: Any) -> Any:
    """What a quantizer makes, as integers: its scale is no part of the format."""
    from qonnx.core.datatype import DataType
    from qonnx.custom_op.registry import getCustomOp

    if node.op_type == "BipolarQuant":
        return DataType["BIPOLAR"]
    if node.op_type == "MultiThreshold":
        return DataType[getCustomOp(node).get_nodeattr("out_dtype")]
    return getCustomOp(node).get_integer_datatype(model)


def format_of(model: Any, tensor: str) -> Any:
    """The QONNX data type of what a tensor holds; None behind a FloatQuant or ONNX's own quantizers (QCDQ)."""
    while True:
        annotated = model.get_tensor_datatype(tensor)
        producer = model.find_producer(tensor)
        if annotated.name != "FLOAT32" or producer is None:
            return annotated
        if producer.op_type in QUANTIZERS:
            return _quantized(model, producer)
        if producer.op_type in _CODED:
            return None
        if producer.op_type not in _MOVE:
            return annotated
        tensor = producer.input[0]


def activation_of(model: Any, tensor: str) -> tuple[str, Any]:
    """What the next quantizer makes of a layer's output, and its format; without one, the output itself."""
    current = tensor
    while True:
        consumers = model.find_consumers(current) or []
        if len(consumers) != 1:
            break
        (node,) = consumers
        current = node.output[0]
        if node.op_type in QUANTIZERS:
            return current, _quantized(model, node)
        if node.op_type not in _SHAPE_ACTIVATIONS:
            break
    return tensor, format_of(model, tensor)
