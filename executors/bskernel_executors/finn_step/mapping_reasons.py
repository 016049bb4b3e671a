"""Why a node is not in hardware, and what to change: read from its tensors and attributes, not from its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from bskernel_executors.finn_step.deconvolution import find_deconvolution_padding

# Operators that pass values on as they are, or select among them: a scale before them is a scale after them.
_PASSES = frozenset(
    {"Concat", "Crop", "Flatten", "Gather", "Im2Col", "MaxPool", "MaxPoolNHWC", "Pad", "Reshape", "Resize", "Slice"}
    | {"Split", "Squeeze", "Transpose", "Unsqueeze", "Upsample"}
)
_AFFINE = frozenset({"Add", "BatchNormalization", "Div", "ElementwiseAdd", "ElementwiseMul", "Mul", "Sub"})
_JOINS = frozenset({"Add", "Concat", "Mul", "Sub"})
_MULTIPLIES = frozenset({"Conv", "ConvTranspose", "MatMul", "XnorPopcountMatMul"})
_LOWERED = frozenset({"Concat", "Conv", "ConvTranspose", "GlobalAveragePool", "MatMul", "Resize", "Upsample"})
_POOLS = frozenset({"AveragePool", "MaxPool", "MaxPoolNHWC", "QuantAvgPool2d"})
_QUANTIZERS = frozenset({"BipolarQuant", "FloatQuant", "MultiThreshold", "Quant", "Thresholding", "Trunc"})
_SHAPES = frozenset({"Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_END_SCORES = frozenset({"ArgMax", "LogSoftmax", "Sigmoid", "Softmax", "Tanh", "TopK"})
_QUANTIZE_HERE = "quantize its input: in Brevitas, put a QuantIdentity or a quantized activation before it"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a node is not in hardware (a clause, e.g. "its input is FLOAT32"), and what to change in the network."""

    what: str
    remedy: str


def _name(node: Any) -> str:
    return f"{node.op_type} {node.name or node.output[0]}"


def _variables(model: Any, node: Any) -> list[str]:
    return [name for name in node.input if name and model.get_initializer(name) is None]


def _attribute(node: Any, name: str) -> Any:
    """An attribute as a number, text or list; None where the node has no such attribute."""
    for attribute in node.attribute:
        if attribute.name == name:
            value = {
                1: attribute.f,
                2: attribute.i,
                3: attribute.s.decode("utf-8", "replace"),
                7: list(attribute.ints),
            }
            return value.get(attribute.type)
    return None


def _is_integer(model: Any, name: str) -> bool:
    return bool(model.get_tensor_datatype(name).is_integer())


def _rank(model: Any, name: str) -> int | None:
    shape = model.get_tensor_shape(name)
    return None if shape is None else len(shape)


def _trace_float(model: Any, name: str) -> Iterator[Any]:
    """Yield the nodes, nearest first, that a tensor's values pass through, and then the one that made them."""
    for _ in range(len(model.graph.node)):
        producer = model.find_producer(name)
        if producer is None:
            return
        yield producer
        inputs = [item for item in _variables(model, producer) if not _is_integer(model, item)]
        if producer.op_type not in _PASSES or not inputs:
            return
        name = inputs[0]


def _is_network_input(model: Any, name: str) -> bool:
    return any(name == value.name for value in model.graph.input)


def _float_source(model: Any, name: str) -> Reason:
    """Explain why a tensor holds fractions."""
    kind = model.get_tensor_datatype(name).name
    path = list(_trace_float(model, name))
    source = path[-1] if path else None
    if source is None or source.op_type in _PASSES:
        return Reason(
            what=f"its input comes as {kind} from the network's input without a quantizer",
            remedy="quantize the network's input (in Brevitas: a QuantIdentity first), or train on integers and "
            "annotate the input's type",
        )
    forked = next((node for node in reversed(path) if len(model.find_consumers(node.output[0])) > 1), None)
    if source.op_type in _AFFINE and len(_variables(model, source)) == 1:
        where = f" before the fork after {_name(forked)}" if forked is not None else ""
        return Reason(
            what=f"its input is {kind}, because the scale or bias of {_name(source)} stays{where}: "
            "streamlining did not move it into a quantizer",
            remedy=f"quantize after {_name(source)}"
            if forked is None
            else f"quantize before the fork with one scale for the whole tensor, so that all branches after "
            f"{_name(forked)} take integers",
        )
    if source.op_type in _AFFINE:
        return Reason(
            what=f"its input is {kind}, because {_name(source)} joins branches with different scales",
            remedy=f"give the branches of {_name(source)} one shared quantizer (the same scale), "
            "or quantize its result",
        )
    if source.op_type in _MULTIPLIES and not _is_integer(model, source.input[1]):
        return Reason(
            what=f"its input is {kind}, because the weights of {_name(source)} are not quantized",
            remedy=f"quantize the weights of {_name(source)}",
        )
    return Reason(
        what=f"its input is {kind}, made by {_name(source)}", remedy=f"quantize the output of {_name(source)}"
    )


def _explain_join(model: Any, variables: list[str]) -> Reason:
    """Explain a join of which at least one branch holds fractions."""
    scales = []
    for name in variables:
        producer = model.find_producer(name)
        value = (
            model.get_initializer(producer.input[1]) if producer is not None and producer.op_type == "Mul" else None
        )
        scales.append(None if value is None or value.size != 1 else float(value.reshape(())))
    fractions = [name for name in variables if not _is_integer(model, name)]
    if None in scales or len(set(scales)) == 1:
        return _float_source(model, fractions[0])
    return Reason(
        what=f"its branches have different scales ({', '.join(f'{scale:.6g}' for scale in scales)})",
        remedy="quantize both branches with one shared quantizer (in Brevitas: the same QuantIdentity or QuantReLU "
        "for both), or use scales that are whole multiples of one another",
    )


def _explain_multiplication(model: Any, node: Any) -> Reason | None:
    weights = node.input[1]
    constant = model.get_initializer(weights) is not None
    if not _is_integer(model, weights):
        kind = model.get_tensor_datatype(weights).name
        return Reason(
            what=f"its weights are {kind}" if constant else f"its second input is {kind}",
            remedy="quantize the weights (in Brevitas: QuantConv2d, QuantLinear)" if constant else _QUANTIZE_HERE,
        )
    if node.op_type == "MatMul":
        return None
    rank = _rank(model, node.input[0])
    if rank != 4:
        return Reason(
            what=f"it convolves a tensor with {rank} dimensions, but hardware convolves N, C, H, W",
            remedy="make it a 2D convolution, with a height of 1",
        )
    if node.op_type == "Conv":
        group, channels = _attribute(node, "group") or 1, model.get_tensor_shape(node.input[0])[1]
        if group not in (1, channels):
            return Reason(
                what=f"it has {group} groups of {channels} channels",
                remedy=f"use group = 1, or group = {channels} (depthwise)",
            )
        return None
    if find_deconvolution_padding(node) is None:
        named = ("group", "pads", "output_shape", "auto_pad")
        given = [f"{name} = {value}" for name in named if (value := _attribute(node, name)) is not None]
        return Reason(
            what=f"it is a transposed convolution with {', '.join(given) or 'attributes left out'}",
            remedy="use group = 1 and explicit pads, smaller than the window; "
            "or nearest-neighbour upsampling and a convolution",
        )
    return None


def _explain_pool(model: Any, node: Any) -> Reason | None:
    if node.op_type == "QuantAvgPool2d":
        kernel, strides = [_attribute(node, "kernel")] * 2, [_attribute(node, "stride")] * 2
    else:
        kernel = _attribute(node, "kernel_shape") or []
        strides = _attribute(node, "strides") or [1] * len(kernel)
    if _rank(model, node.input[0]) != 4:
        return Reason(
            what=f"it pools a tensor with {_rank(model, node.input[0])} dimensions, but hardware pools N, C, H, W",
            remedy="use 2D pooling, with a height of 1",
        )
    if any(size < stride for size, stride in zip(kernel, strides, strict=True)):
        return Reason(
            what=f"its kernel {kernel} is smaller than its stride {strides}",
            remedy="pool with a kernel that is at least as large as the stride",
        )
    if node.op_type == "AveragePool":
        return Reason(
            what="it divides sums, and no quantizer after it rounds them",
            remedy="quantize its output (in Brevitas: TruncAvgPool2d, or a QuantIdentity after it)",
        )
    return None


def _explain_resize(model: Any, node: Any) -> Reason | None:
    mode = _attribute(node, "mode") or "nearest"
    if mode != "nearest":
        return Reason(
            what=f"it resizes in the mode {mode!r}, but hardware only repeats pixels",
            remedy='use mode "nearest" with whole factors',
        )
    scales = [model.get_initializer(name) for name in node.input[1:] if name]
    factors = [list(values) for values in scales if values is not None and len(values) == 4]
    if factors and any(factor < 1 or factor != int(factor) for factor in factors[-1]):
        return Reason(
            what=f"it resizes by {[float(factor) for factor in factors[-1]]}",
            remedy="resize by whole factors of height and width",
        )
    return None


def _explain_concat(model: Any, node: Any) -> Reason | None:
    axis, rank = _attribute(node, "axis"), _rank(model, node.output[0])
    constants = [name for name in node.input if model.get_initializer(name) is not None]
    if constants:
        return Reason(what="it joins a constant to the data", remedy="pad with zeros instead")
    if rank is not None and axis not in (-1, rank - 1):
        return Reason(
            what=f"it joins along axis {axis} of {rank}, but hardware joins the last axis, the channels",
            remedy="join channels (axis 1 of N, C, H, W), directly after quantizers",
        )
    return None


_EXPLAINERS: tuple[tuple[frozenset[str], Callable[[Any, Any], Reason | None]], ...] = (
    (_MULTIPLIES, _explain_multiplication),
    (_POOLS, _explain_pool),
    (frozenset({"Resize", "Upsample"}), _explain_resize),
    (frozenset({"Concat"}), _explain_concat),
)


def explain_unmapped(model: Any, node: Any) -> Reason:
    """Explain why a node of a model at stage `finn` or `hwgraph` is not a hardware layer, and what to change.

    Looks at types, ranks, kernels and attributes. `model` is qonnx's ModelWrapper, `node` one of its nodes.
    """
    own = next((explain(model, node) for kinds, explain in _EXPLAINERS if node.op_type in kinds), None)
    if own is not None:
        return own
    variables = _variables(model, node)
    if node.op_type in _SHAPES and any(_is_network_input(model, name) for name in variables):
        return Reason(
            what="it only rearranges the network's input, which the host does",
            remedy="none needed; give the accelerator frames in this layout",
        )
    fractions = [name for name in variables if not _is_integer(model, name)]
    if node.op_type in _END_SCORES and not model.find_consumers(node.output[0]):
        return Reason(what="it makes scores of the network's results, which the host does", remedy="none needed")
    if fractions:
        if node.op_type in _JOINS and len(variables) > 1:
            return _explain_join(model, variables)
        if node.op_type in _QUANTIZERS and any(_is_network_input(model, name) for name in fractions):
            return Reason(
                what="it quantizes the network's float input, which the host does",
                remedy="none needed; give the accelerator integers",
            )
        if node.op_type in _AFFINE and not model.find_consumers(node.output[0]):
            return Reason(what="it scales the network's result, which the host does", remedy="none needed")
        return _float_source(model, fractions[0])
    if node.op_type in _AFFINE:
        return Reason(
            what="it scales integers into fractions, and no quantizer after it takes the scale",
            remedy="quantize its output; at the network's end the host does it",
        )
    if node.op_type in _LOWERED:
        return Reason(
            what="it takes integers, but the steps that ran do not make hardware of it",
            remedy='let step_streamline and step_convert_to_hw choose (recipe = "auto"), or run FINN\'s own '
            "step_convert_to_hw after the steps of your own: finn-step:step_convert_to_hw",
        )
    ranks = {_rank(model, name) for name in variables}
    if node.op_type in _SHAPES | _PASSES:
        return Reason(
            what=f"it moves values in a tensor with {', '.join(map(str, sorted(filter(None, ranks))))} dimensions "
            "in a way that hardware does not have",
            remedy="remove it, or move it to the network's start or end, where the host does it",
        )
    return Reason(
        what=f"FINN has no hardware layer for {node.op_type}",
        remedy="replace it (for example an activation by a quantized ReLU), or move it to the network's end, where "
        "the host computes it",
    )
