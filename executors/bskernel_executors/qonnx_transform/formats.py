"""Find the number format of a tensor: as annotated, or from the quantizer before it."""

from __future__ import annotations

from math import prod
from typing import Any

from bskernel_executors.exchange.bit_widths import TensorFormat

QUANTIZERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold"})
# These rearrange values without changing them.
_MOVE = frozenset({"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "MaxPool", "Im2Col"})
# These may stand between a layer and the quantizer of its activations.
_SHAPE_ACTIVATIONS = _MOVE | {"Mul", "Add", "Sub", "Div", "Relu", "BatchNormalization", "Clip"}
_CODED = frozenset({"QuantizeLinear", "DequantizeLinear", "FloatQuant"})


def make_format(model: Any, tensor: str, datatype: Any) -> TensorFormat:
    """Describe a tensor of that data type, with the number of values if its shape is known."""
    shape = model.get_tensor_shape(tensor)
    # QONNX gives no shape for an unknown rank, and 0 for an unknown dimension.
    known = bool(shape) and all(size > 0 for size in shape)
    return TensorFormat(
        datatype=str(datatype.name), bits=int(datatype.bitwidth()), count=int(prod(shape)) if known else None
    )


def is_constant(model: Any, tensor: str) -> bool:
    """Return whether the tensor is a parameter, perhaps quantized or rearranged."""
    while model.get_initializer(tensor) is None:
        producer = model.find_producer(tensor)
        if producer is None or producer.op_type not in QUANTIZERS | _MOVE | _CODED or not producer.input:
            return False
        tensor = producer.input[0]
    return True


def _find_quantized_type(model: Any, node: Any) -> Any:
    """Return a quantizer's integer type. Its scale is not part of the format."""
    from qonnx.core.datatype import DataType
    from qonnx.custom_op.registry import getCustomOp

    if node.op_type == "BipolarQuant":
        return DataType["BIPOLAR"]
    if node.op_type == "MultiThreshold":
        return DataType[getCustomOp(node).get_nodeattr("out_dtype")]
    return getCustomOp(node).get_integer_datatype(model)


def find_datatype(model: Any, tensor: str) -> Any:
    """Find the QONNX data type of a tensor; None after a FloatQuant or ONNX's own quantizers (QCDQ)."""
    while True:
        annotated = model.get_tensor_datatype(tensor)
        producer = model.find_producer(tensor)
        if annotated.name != "FLOAT32" or producer is None:
            return annotated
        if producer.op_type in QUANTIZERS:
            return _find_quantized_type(model, producer)
        if producer.op_type in _CODED:
            return None
        if producer.op_type not in _MOVE:
            return annotated
        tensor = producer.input[0]


def find_activation(model: Any, tensor: str) -> tuple[str, Any]:
    """Find the tensor after the next quantizer of a layer's output, and its type; without one, the output itself."""
    current = tensor
    while True:
        consumers = model.find_consumers(current) or []
        if len(consumers) != 1:
            break
        (node,) = consumers
        current = node.output[0]
        if node.op_type in QUANTIZERS:
            return current, _find_quantized_type(model, node)
        if node.op_type not in _SHAPE_ACTIVATIONS:
            break
    return tensor, find_datatype(model, tensor)
