"""Average pools as what hardware computes: a depthwise sum of integers, one factor, and the quantizer behind it.

FINN maps an average pool only if a Trunc that rounds down follows it (AveragePool -> Trunc, square and unpadded). For
every other one: the mean of n quantized values q * s is sum(q) * (s / n), sum(q) is a depthwise convolution with
weights 1, and the factor goes into the thresholds of the next quantizer. A Trunc keeps its rounding mode. On integers
all of this is exact; the pool itself was computed on rounded multiples of s.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.layers import is_quantized
from bskernel_executors.qonnx_transform.adaptation.network_graph import (
    NetworkGraph,
    attributes,
    describe,
    make_quant,
    set_attribute,
)
from bskernel_executors.sdk import StepFailure

KIND = "average_pools"
_IMAGES = 4  # rank of (N, C, H, W)
_TRUNC_V2 = 6  # its operands: input, scale, zero point, input bits, output scale, output bits
_PASSING = frozenset({"MaxPool", "Transpose", "Identity", "Reshape", "Flatten"})


class _Window(NamedTuple):
    """What a pool sums: kernel (height, width), strides, pads."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many values each sum has."""
        return math.prod(self.kernel)


def mend_average_pools(model: Any) -> list[Change]:
    """Lower average pools of quantized images. Raises StepFailure (model_load) for one that hardware cannot have."""
    network = NetworkGraph(model)
    changes = []
    for node in network.nodes:
        if node.op_type not in {"AveragePool", "GlobalAveragePool"}:
            continue
        shape = network.shape(node.input[0])
        if shape is not None and len(shape) == _IMAGES and is_quantized(network, node.input[0], set()):
            window = _find_window(node, shape)
            follower, factor = _find_follower(network, node, window)
            if not _is_native(network, node, window, follower, factor):
                changes.append(_lower(network, node, window, follower, factor))
    if changes:
        network.drop_unused()
    return changes


def _refuse(node: Any, why: str, hint: str) -> StepFailure:
    return StepFailure(category="model_load", message=f"{describe(node)} {why}", hint=hint)


def _find_window(node: Any, shape: tuple[int, ...]) -> _Window:
    if node.op_type == "GlobalAveragePool":
        return _Window(shape[2:], (1, 1), (0, 0, 0, 0))
    given = attributes(node)
    kernel = tuple(given["kernel_shape"])
    strides, pads = tuple(given.get("strides", (1, 1))), tuple(given.get("pads", (0, 0, 0, 0)))
    if any(pads) and not given.get("count_include_pad", 0):
        raise _refuse(
            node,
            "divides by fewer values at the border than inside, which is no one factor",
            "set count_include_pad = True, or padding = 0",
        )
    for at, size in enumerate(shape[2:]):
        whole = size + pads[at] + pads[at + 2]
        if given.get("ceil_mode", 0) and (whole - kernel[at]) % strides[at]:
            raise _refuse(node, "has a last window that is not whole", "set ceil_mode = False")
    if any(value != 1 for value in given.get("dilations", ())):
        raise _refuse(node, "is dilated", "use dilation = 1")
    return _Window(kernel, strides, pads)


def _find_follower(network: NetworkGraph, node: Any, window: _Window) -> tuple[Any, float]:
    """The quantizer that alone reads the pool, and the factor between them: 1, or n where the sum was wanted."""
    import numpy as np

    factor, readers = 1.0, network.consumers(node.output[0])
    if len(readers) == 1 and readers[0].op_type == "Mul" and not network.is_output(node.output[0]):
        others = [network.constant(name) for name in readers[0].input if name != node.output[0]]
        if len(others) == 1 and others[0] is not None and others[0].size == 1 and np.all(others[0] == window.size):
            factor, readers = float(window.size), network.consumers(readers[0].output[0])
    if len(readers) == 1 and readers[0].op_type in {"Quant", "IntQuant", "Trunc"}:
        values = [network.constant(name) for name in readers[0].input[1:]]
        if all(value is not None and value.size == 1 for value in values) and not values[1].any():
            return readers[0], factor
        if readers[0].op_type == "Trunc":
            raise _refuse(
                readers[0], "has a zero point, or parameters that are no single constants", "use a symmetric one"
            )
    return None, 1.0


def _is_native(network: NetworkGraph, node: Any, window: _Window, follower: Any, factor: float) -> bool:
    """Whether FINN takes the pool and its Trunc as they are."""
    if node.op_type != "AveragePool" or follower is None or follower.op_type != "Trunc":
        return False
    given = attributes(node)
    if attributes(follower).get("rounding_mode", b"FLOOR").upper() != b"FLOOR" or any(window.pads):
        return False
    square = len(set(window.kernel)) == 1 and len(set(window.strides)) == 1 and {"pads", "strides"} <= given.keys()
    scale, in_bits, out_scale, out_bits = _trunc_parameters(network, follower)
    input_bits = math.floor(math.log2(2**in_bits / window.size))
    sum_bits = ((1 << input_bits) - 1) * window.size if input_bits > 0 else 0
    fits = sum_bits.bit_length() == in_bits and window.kernel[0] >= window.strides[0]
    if len(follower.input) == _TRUNC_V2:
        return square and fits and factor == 1 and math.log2(out_scale / scale) == in_bits - out_bits
    return square and fits and factor == window.size


def _trunc_parameters(network: NetworkGraph, trunc: Any) -> tuple[float, int, float, int]:
    """Scale, input bits, output scale and output bits of a Trunc of either version."""
    values = [float(network.constant(name).item()) for name in trunc.input[1:]]
    if len(trunc.input) == _TRUNC_V2:
        return values[0], round(values[2]), values[3], round(values[4])
    return values[0], round(values[2]), values[0], round(values[3])


def _find_scale(network: NetworkGraph, name: str) -> tuple[float, bool] | None:
    """Scale and sign of the quantizer whose values reach a tensor, if it is one per tensor."""
    producer = network.producer(name)
    while producer is not None and producer.op_type in _PASSING:
        producer = network.producer(producer.input[0])
    if producer is None or producer.op_type not in {"Quant", "IntQuant"}:
        return None
    scale = network.constant(producer.input[1])
    if scale is None or scale.size != 1:
        return None
    return float(scale.item()), bool(attributes(producer).get("signed", 1))


def _lower(network: NetworkGraph, node: Any, window: _Window, follower: Any, factor: float) -> Change:
    import numpy as np
    from onnx import helper

    found = _find_scale(network, node.input[0])
    if follower is not None and follower.op_type == "Trunc" and found is None:
        raise _refuse(follower, "truncates values of no quantizer with one scale", "quantize its input per tensor")
    scale = found[0] if found is not None else 1.0
    source, made = node.input[0], []
    if found is not None:
        source = network.new_tensor(f"{node.name}_integers")
        divisor = network.add_constant(f"{node.name}_scale", np.asarray(scale, np.float32))
        made.append(
            helper.make_node("Div", [node.input[0], divisor], [source], name=network.new_name(f"{node.name}_Div"))
        )
    made += _make_sum(network, node, window, source)
    total, target = made[-1].output[0], node.output[0]
    if follower is not None:
        step = scale * factor / window.size  # what one unit of the sum is before the quantizer
        target = follower.output[0]
        multiplier, quantizer = _fit_quantizer(network, follower, step, found)
        removed = [follower, *network.consumers(node.output[0])[: factor != 1]]
    else:
        multiplier, quantizer, removed = scale / window.size, None, []
    value = target if quantizer is None else network.new_tensor(f"{node.name}_mean")
    constant = network.add_constant(f"{node.name}_factor", np.asarray(multiplier, np.float32))
    made.append(helper.make_node("Mul", [total, constant], [value], name=network.new_name(f"{node.name}_Mul")))
    if quantizer is not None:
        made += _make_quantizer(network, follower, quantizer, value)
    network.insert_before(node, *made)
    network.remove(node, *removed)
    return Change(
        kind=KIND,
        names=(node.name, *(item.name for item in removed)),
        before=" -> ".join([node.op_type, *(item.op_type for item in reversed(removed))]),
        after="a depthwise Conv with weights 1, a Mul" + (" and a Quant" if quantizer is not None else ""),
        reason="FINN maps average pools only before a Trunc that rounds down, square and unpadded; "
        "the sum of integers is a depthwise convolution",
    )


def _make_sum(network: NetworkGraph, node: Any, window: _Window, source: str) -> list[Any]:
    """The depthwise convolution with weights 1, and the quantizer that says that they are integers."""
    import numpy as np
    from onnx import helper

    channels = (network.shape(node.input[0]) or ())[1]
    ones = network.add_constant(f"{node.name}_ones", np.ones((channels, 1, *window.kernel), np.float32))
    weights, total = network.new_tensor(f"{node.name}_weights"), network.new_tensor(f"{node.name}_sum")
    quant = make_quant(network, f"{node.name}_ones_Quant", ones, weights, scale=1.0, bits=2, signed=True, narrow=True)
    convolution = helper.make_node(
        "Conv",
        [source, weights],
        [total],
        name=network.new_name(f"{node.name}_Conv"),
        kernel_shape=window.kernel,
        strides=window.strides,
        pads=window.pads,
        dilations=(1, 1),
        group=channels,
    )
    return [quant, convolution]


class _Quantizer(NamedTuple):
    """A quantizer of scale 1, and the scale of its output."""

    bits: int
    signed: bool
    narrow: bool
    mode: str
    scale: float


def _fit_quantizer(
    network: NetworkGraph, follower: Any, step: float, found: tuple[float, bool] | None
) -> tuple[float, _Quantizer]:
    """The factor between the sum and the quantizer's integers, and the quantizer."""
    given = attributes(follower)
    mode = given.get("rounding_mode", b"FLOOR" if follower.op_type == "Trunc" else b"ROUND").decode().upper()
    narrow = bool(given.get("narrow", 0))
    if follower.op_type != "Trunc":
        scale, _, bits = (float(network.constant(name).item()) for name in follower.input[1:4])
        return step / scale, _Quantizer(round(bits), bool(given.get("signed", 1)), narrow, mode, scale)
    scale, in_bits, out_scale, out_bits = _trunc_parameters(network, follower)
    if not math.isclose(step, scale, rel_tol=1e-5):
        raise _refuse(
            follower,
            f"expects multiples of {scale:g}, but the pool gives multiples of {step:g}",
            "export with a current Brevitas: its TruncAvgPool2d keeps the scales of pool and Trunc the same",
        )
    if len(follower.input) == _TRUNC_V2:
        shift = round(math.log2(out_scale / scale))
        return 2.0**-shift, _Quantizer(out_bits, bool(given.get("signed", 1)), narrow, mode, out_scale)
    signed = found is not None and found[1]
    bits = out_bits + (mode not in {"FLOOR", "DOWN"})  # version 1 does not clamp, so rounding up may need one more
    return 2.0 ** (out_bits - in_bits), _Quantizer(bits, signed, False, mode, out_scale)


def _make_quantizer(network: NetworkGraph, follower: Any, quantizer: _Quantizer, source: str) -> list[Any]:
    import numpy as np
    from onnx import helper

    integers = network.new_tensor(f"{follower.name}_levels")
    name = f"{follower.name}_Quant"
    quant = make_quant(
        network,
        name,
        source,
        integers,
        scale=1.0,
        bits=quantizer.bits,
        signed=quantizer.signed,
        narrow=quantizer.narrow,
    )
    set_attribute(quant, "rounding_mode", quantizer.mode)
    scale = network.add_constant(f"{follower.name}_scale", np.asarray(quantizer.scale, np.float32))
    multiply = helper.make_node("Mul", [integers, scale], [follower.output[0]], name=network.new_name(f"{name}_Mul"))
    return [quant, multiply]
