"""The layers that multiply by weights: their weights, their inputs, what quantizes them, how many MACs they take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from bskernel_executors.qonnx_transform.adaptation.network_graph import NetworkGraph, attributes

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_PRODUCTS = frozenset({"MatMul", "Gemm"})
_QUANTIZING = frozenset(
    {"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold", "Sign", "Round", "FloatQuant"}
)
_QUANTIZING_INPUTS = frozenset({"DequantizeLinear", "QuantizeLinear", "QuantAvgPool2d"})
# Through these a quantized value stays one, if need be with a scale that FINN moves away.
_PASSING = frozenset(
    {
        *("MaxPool", "MaxPoolNHWC", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum"),
        *("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "DebugMarker", "Pad"),
        *(
            "Slice",
            "Split",
            "Gather",
            "Resize",
            "Upsample",
            "DepthToSpace",
            "Mul",
            "Div",
            "Add",
            "Sub",
            "Concat",
            "Cast",
        ),
        *("Relu", "Clip", "Im2Col", "BatchNormalization"),
    }
)
# What exporters put between stored weights and the layer that they belong to.
_OF_WEIGHTS = (
    _QUANTIZING | _QUANTIZING_INPUTS | {"Transpose", "Reshape", "Identity", "Cast", "Clip", "Mul", "Div", "Pad"}
)


class Layer(NamedTuple):
    """A node with weights. `quantized` says of weights and of the input whether FINN finds integers there."""

    node: Any
    shape: tuple[int, ...]  # of the weights
    weights_quantized: bool
    input_quantized: bool


def find_layers(network: NetworkGraph) -> Iterator[Layer]:
    """Find the convolutions, and the products with a constant, in the order of the graph."""
    for node in network.nodes:
        if node.op_type not in _CONVOLUTIONS | _PRODUCTS or len(node.input) < 2:
            continue
        sides = [_find_weights(network, name) for name in node.input[:2]]
        if node.op_type in _PRODUCTS and sides[0] is not None and sides[1] is None:
            weights, data = sides[0], node.input[1]
        elif sides[1] is not None:
            weights, data = sides[1], node.input[0]
        else:
            continue
        shape, quantized = weights
        yield Layer(node, shape, quantized, is_quantized(network, data, set()))


def _find_weights(network: NetworkGraph, name: str) -> tuple[tuple[int, ...], bool] | None:
    """Shape of a constant operand and whether it is quantized; None for an operand that depends on the input."""
    value = network.constant(name)
    if value is not None:
        return tuple(value.shape), value.dtype.kind in "iu" or _is_integer(network, name)
    producer, quantized = network.producer(name), _is_integer(network, name)
    while producer is not None and producer.op_type in _OF_WEIGHTS:
        quantized = quantized or producer.op_type in _QUANTIZING | _QUANTIZING_INPUTS
        source = producer.input[0] if producer.input else ""
        value = network.constant(source)
        if value is not None:
            return tuple(value.shape), quantized or value.dtype.kind in "iu" or _is_integer(network, source)
        producer = network.producer(source)
    return None


def _is_integer(network: NetworkGraph, name: str) -> bool:
    """Whether the model says that a tensor holds integers."""
    for annotation in network.graph.quantization_annotation:
        if annotation.tensor_name == name:
            for entry in annotation.quant_parameter_tensor_names:
                if entry.key == "finn_datatype":
                    return not entry.value.startswith(("FLOAT", "FIXED"))
    return False


def is_quantized(network: NetworkGraph, name: str, seen: set[str]) -> bool:
    """Whether a quantizer, or an input of integers, gives the values of a tensor."""
    import onnx

    if name in seen:
        return True
    seen.add(name)
    if _is_integer(network, name):
        return True
    producer = network.producer(name)
    if producer is None:
        kinds = {item.name: item.type.tensor_type.elem_type for item in network.graph.input}
        floats = {
            onnx.TensorProto.FLOAT,
            onnx.TensorProto.DOUBLE,
            onnx.TensorProto.FLOAT16,
            onnx.TensorProto.BFLOAT16,
        }
        return kinds.get(name, onnx.TensorProto.INT8) not in floats
    if producer.op_type in _QUANTIZING | _QUANTIZING_INPUTS:
        return True
    if producer.op_type in _CONVOLUTIONS | _PRODUCTS:
        return _has_one_scale(network, producer.input[1]) and is_quantized(network, producer.input[0], seen)
    if producer.op_type not in _PASSING:
        return False
    data = [item for item in producer.input if item and network.constant(item) is None]
    if producer.op_type not in {"Add", "Sub", "Mul", "Div", "Concat"}:
        data = data[:1]
    return all(is_quantized(network, item, seen) for item in data if _find_weights(network, item) is None)


def _has_one_scale(network: NetworkGraph, weights: str) -> bool:
    """Whether weights are whole numbers times one factor: sums of integers with them are integers times a factor."""
    value = network.constant(weights)
    if value is not None:
        return bool((value == value.round()).all())
    producer = network.producer(weights)
    scale = None if producer is None or producer.op_type != "Quant" else network.constant(producer.input[1])
    return scale is not None and scale.size == 1


def count_macs(network: NetworkGraph, layer: Layer) -> int:
    """Multiply-accumulates for the batch; 0 where the shapes are not known."""
    node, weights = layer.node, layer.shape
    output, data = network.shape(node.output[0]), network.shape(node.input[0])
    if output is None or data is None:
        return 0
    if node.op_type == "Conv":
        return math.prod(output) * math.prod(weights[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(data) * math.prod(weights[1:])
    inner = data[0] if node.op_type == "Gemm" and attributes(node).get("transA", 0) else data[-1]
    return math.prod(output) * inner
