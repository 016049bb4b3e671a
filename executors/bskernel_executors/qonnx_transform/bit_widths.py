"""Find the formats and sizes of a model's layers, at any stage, from quantizers, annotations and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from bskernel_executors.dataflow.macs import count_macs
from bskernel_executors.dataflow.operators import CARRIES, DIVIDES, is_hardware, operator_of
from bskernel_executors.exchange.bit_widths import BitWidths, Fold, LayerWidths, TensorFormat
from bskernel_executors.qonnx_transform.formats import find_activation, find_datatype, is_constant, make_format

_MULTIPLY = frozenset({"Conv", "MatMul", "Gemm"})
_COMPUTE = _MULTIPLY | {"MVAU", "VVAU"}


def find_bit_widths(model: Any) -> BitWidths:
    """Describe the layers of a ModelWrapper at any stage: those that multiply, compare, or are hardware."""
    model = _infer_shapes(model)
    layers, warnings = [], []
    for node in model.graph.node:
        if is_hardware(node):
            layers.append(_describe_hardware(model, node))
        elif node.op_type in _MULTIPLY:
            layers.append(_describe_multiplication(model, node))
        elif node.op_type == "MultiThreshold":
            layers.append(_describe_comparison(model, node))
        else:
            continue
        if layers[-1].input is None:
            warnings.append(f"{_name(node)}: the format of its input is unknown")
    coded = [node.name for node in model.graph.node if node.op_type == "DequantizeLinear"]
    if coded:
        warnings.append(f"{len(coded)} QCDQ quantizers are not read: transform the model with QCDQToQONNX first")
    if not layers:
        warnings.append("no layer multiplies or compares")
    weights = [layer.weights for layer in layers if layer.weights]
    thresholds = [layer.thresholds for layer in layers if layer.thresholds]
    macs = [layer.macs for layer in layers if operator_of(layer.operator) in _COMPUTE]
    if None in macs:
        warnings.append("shapes are unknown: run cleanup first")
    return BitWidths(
        layers=tuple(layers),
        weights=_sum([kept.count for kept in weights]),
        weight_bits=_sum([kept.total_bits for kept in weights]),
        thresholds=_sum([kept.count for kept in thresholds]),
        threshold_bits=_sum([kept.total_bits for kept in thresholds]),
        macs=_sum(macs),
        inputs=_describe_ends(model, model.graph.input),
        outputs=_describe_ends(model, model.graph.output),
        warnings=tuple(warnings),
    )


def _infer_shapes(model: Any) -> Any:
    """Infer the shapes of all tensors. A hardware graph has them already, and only FINN could infer them."""
    from qonnx.transformation.infer_shapes import InferShapes

    return model if any(is_hardware(node) for node in model.graph.node) else model.transform(InferShapes())


def _name(node: Any) -> str:
    return str(node.name or f"{node.op_type} of {node.output[0]}")


def _sum(parts: list[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _describe_ends(model: Any, values: Any) -> tuple[TensorFormat, ...]:
    # Older exporters list parameters among a graph's inputs.
    names = [value.name for value in values if model.get_initializer(value.name) is None]
    found = [(name, find_datatype(model, name)) for name in names]
    return tuple(make_format(model, name, datatype) for name, datatype in found if datatype is not None)


def _find_format(model: Any, tensor: str) -> TensorFormat | None:
    datatype = find_datatype(model, tensor)
    return None if datatype is None else make_format(model, tensor, datatype)


def _describe_multiplication(model: Any, node: Any) -> LayerWidths:
    """A Conv, MatMul or Gemm of ONNX."""
    given, weights = node.input[0], node.input[1]
    if is_constant(model, given) and not is_constant(model, weights):
        given, weights = weights, given
    datatype = model.get_tensor_datatype(node.output[0])
    quantized, activation = find_activation(model, node.output[0])
    return LayerWidths(
        name=_name(node),
        operator=node.op_type,
        input=_find_format(model, given),
        weights=_find_format(model, weights) if is_constant(model, weights) else None,
        accumulator=None
        if datatype.name == "FLOAT32"
        else TensorFormat(datatype=datatype.name, bits=datatype.bitwidth()),
        output=None if activation is None else make_format(model, quantized, activation),
        macs=count_macs(model, node),
    )


def _describe_comparison(model: Any, node: Any) -> LayerWidths:
    """A MultiThreshold."""
    return LayerWidths(
        name=_name(node),
        operator=node.op_type,
        input=_find_format(model, node.input[0]),
        thresholds=_find_format(model, node.input[1]),
        output=_find_format(model, node.output[0]),
    )


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    found = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _format_from_attribute(model: Any, tensor: str, name: Any) -> TensorFormat | None:
    """Return the format that an attribute names, for which the hardware is made, or else the tensor's own."""
    from qonnx.core.datatype import DataType

    return make_format(model, tensor, DataType[name]) if name else _find_format(model, tensor)


def _describe_hardware(model: Any, node: Any) -> LayerWidths:
    """A layer of FINN's hardware graph."""
    have = _attributes(node)
    operator = operator_of(node.op_type)
    multiplies = operator in {"MVAU", "VVAU"}
    # FIFOs and width converters have one format; FINN does not annotate the tensors between them.
    passed = have.get("dataType")
    given = _format_from_attribute(model, node.input[0], have.get("inputDataType", passed))
    made = _format_from_attribute(model, node.output[0], have.get("outputDataType", passed))
    weights = thresholds = accumulator = None
    if multiplies:
        # With mem_mode "dynamic" another layer computes the weights, so this one does not store them.
        if model.get_initializer(node.input[1]) is not None:
            weights = _format_from_attribute(model, node.input[1], have.get("weightDataType"))
        if len(node.input) > 2:
            thresholds = _format_from_attribute(model, node.input[2], have.get("accDataType"))
        if have.get("accDataType"):
            summed = _format_from_attribute(model, node.output[0], have["accDataType"])
            accumulator = summed and TensorFormat(datatype=summed.datatype, bits=summed.bits)
    elif operator == "Thresholding" and len(node.input) > 1:
        thresholds = _format_from_attribute(model, node.input[1], have.get("weightDataType"))
    return LayerWidths(
        name=_name(node),
        operator=node.op_type,
        input=given,
        weights=weights,
        thresholds=thresholds,
        accumulator=accumulator,
        output=made,
        macs=count_macs(model, node) if multiplies else None,
        macs_per_cycle=have.get("PE", 1) * have.get("SIMD", 1) / have.get("TH", 1) if multiplies else None,
        folding=tuple(
            Fold(parameter=factor, value=have[factor], of=size, size=have[size])
            for factor, size in DIVIDES.get(operator, ())
            if factor in have and size in have
        ),
        input_width=_width(given, operator, have, output=False),
        output_width=_width(made, operator, have, output=True),
        weight_memory=have.get("mem_mode") if multiplies else None,
    )


def _width(of: TensorFormat | None, operator: str, have: Mapping[str, Any], *, output: bool) -> int | None:
    if of is None or operator not in CARRIES or have.get("parallel_window"):
        return None
    factors = CARRIES[operator][output]
    return of.bits * int(prod(have.get(factor, 1) for factor in factors))
