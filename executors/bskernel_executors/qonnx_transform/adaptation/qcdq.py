"""QCDQ and QDQ: chains of QuantizeLinear, Clip and DequantizeLinear become quantizers of QONNX.

Brevitas' QCDQ export and ONNX Runtime's static quantization write them. A constant behind a DequantizeLinear becomes
a float constant with a quantizer (weights) or without (biases of 32 bits), whichever FINN takes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.clips import absorb_bounds, remove_unread
from bskernel_executors.qonnx_transform.adaptation.network_graph import (
    NetworkGraph,
    attributes,
    count_signed_bits,
    describe,
    find_integer_type,
    fit_integer_type,
    make_quant,
)
from bskernel_executors.qonnx_transform.adaptation.thresholds import MOST_BITS, Levels, make_threshold_nodes
from bskernel_executors.sdk import StepFailure

KIND = "qcdq"
_REASON = "FINN reads quantizers of QONNX only"
_BIAS_BITS = 32
_OPERATORS = frozenset(
    {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "QGemm"}
)


class IntegerRange(NamedTuple):
    """The integers that a quantizer can give, and the bits that they were stored in."""

    low: int
    high: int
    bits: int


def mend_qcdq(model: Any) -> list[Change]:
    """Replace every chain. Raises StepFailure (model_load) for one that no quantizer of QONNX can express."""
    network = NetworkGraph(model)
    _refuse_operators(network)
    changes = []
    made: dict[tuple[str, bytes, bytes], str] = {}
    for node in network.nodes:
        if node.op_type == "DequantizeLinear":
            scale, zero = _parameters(network, node)
            key = (node.input[0], scale.tobytes(), zero.tobytes())
            if key in made and not network.is_output(node.output[0]):
                network.redirect(node.output[0], made[key])
                network.remove(node)
                changes.append(_shared(node, made[key]))
                continue
            changes.append(_mend_chain(network, node))
            if network.producer(node.output[0]) is not None:
                made[key] = node.output[0]
    for node in network.nodes:
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"} and not _is_unused(network, node):
            raise _refuse(node, "it stands alone: no DequantizeLinear with the same scale follows it")
    if changes:
        network.drop_unused()
    return changes


def _refuse(node: Any, why: str, hint: str = "export the network with Brevitas' export_qonnx") -> StepFailure:
    return StepFailure(category="model_load", message=f"{describe(node)} cannot become a quantizer: {why}", hint=hint)


def _shared(node: Any, tensor: str) -> Change:
    return Change(
        kind=KIND,
        names=(node.name,),
        before="DequantizeLinear of integers that another one reads",
        after=f"reads {tensor!r}",
        reason=_REASON,
    )


def _refuse_operators(network: NetworkGraph) -> None:
    found = [node for node in network.nodes if node.op_type in _OPERATORS]
    if found:
        raise StepFailure(
            category="model_load",
            message=f"{', '.join(describe(node) for node in found[:3])} compute with integers themselves "
            f"({len(found)} nodes of the QOperator format)",
            hint="quantize with quant_format=QuantFormat.QDQ, or export with Brevitas' export_qonnx",
        )


def _is_unused(network: NetworkGraph, node: Any) -> bool:
    if any(network.consumers(name) or network.is_output(name) for name in node.output):
        return False
    network.remove(node)
    return True


def _mend_chain(network: NetworkGraph, dequantize: Any) -> Change:
    """Replace one DequantizeLinear with all that leads to it."""
    import numpy as np

    scale, zero = _parameters(network, dequantize)
    clip, source = None, dequantize.input[0]
    producer = network.producer(source)
    if producer is not None and producer.op_type == "Clip":
        clip, source = producer, producer.input[0]
        producer = network.producer(source)
    stored = network.constant(source)
    quantize = producer if producer is not None and producer.op_type == "QuantizeLinear" else None
    if stored is None and quantize is None:
        raise _refuse(dequantize, f"{source!r} comes neither from a QuantizeLinear nor from a constant")
    if quantize is not None:
        q_scale, q_zero = _parameters(network, quantize)
        if not (np.array_equal(q_scale, scale) and np.array_equal(q_zero, zero)):
            raise _refuse(dequantize, f"its scale or zero point is not that of {describe(quantize)}")
        stored_type = _stored_type(network, quantize)
    else:
        stored_type = _integer_type(network.element_type(source), dequantize)
    limits = _limits(network, clip, stored_type) if clip is not None else stored_type
    if stored is not None:
        return _mend_constant(network, dequantize, stored, scale, zero, limits, clip)
    return _mend_activation(network, dequantize, quantize, scale, zero, limits, clip)


def _parameters(network: NetworkGraph, node: Any) -> tuple[Any, Any]:
    """Scale (float32) and zero point (int64) of a node."""
    import numpy as np

    scale = network.constant(node.input[1])
    zero = network.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros((), np.int64)
    if scale is None or zero is None:
        raise _refuse(node, "its scale or zero point is computed, not a constant", "quantize statically")
    if attributes(node).get("block_size", 0):
        raise _refuse(node, "it has one scale per block", "quantize per tensor or per channel")
    return scale.astype(np.float32), zero.astype(np.int64)


def _stored_type(network: NetworkGraph, quantize: Any) -> IntegerRange:
    import onnx

    if len(quantize.input) > 2 and quantize.input[2]:
        return _integer_type(network.element_type(quantize.input[2]), quantize)
    return _integer_type(attributes(quantize).get("output_dtype") or onnx.TensorProto.UINT8, quantize)


def _integer_type(element_type: int | None, node: Any) -> IntegerRange:
    import re

    import onnx

    name = onnx.TensorProto.DataType.Name(element_type) if element_type else "no known type"
    matched = re.fullmatch(r"(U?)INT(\d+)", name)
    if matched is None:
        raise _refuse(node, f"it holds {name}, not integers")
    bits = int(matched[2])
    return (
        IntegerRange(0, (1 << bits) - 1, bits)
        if matched[1]
        else IntegerRange(-(1 << bits - 1), (1 << bits - 1) - 1, bits)
    )


def _limits(network: NetworkGraph, clip: Any, stored: IntegerRange) -> IntegerRange:
    """The bounds of a Clip between integers."""
    given = attributes(clip)
    bounds = []
    for at, name, default in ((1, "min", stored.low), (2, "max", stored.high)):
        value: Any = given.get(name, default)
        if len(clip.input) > at and clip.input[at]:
            value = network.constant(clip.input[at])
            if value is None:
                raise _refuse(clip, f"its {name} is computed, not a constant")
        bounds.append(int(value))
    return IntegerRange(max(bounds[0], stored.low), min(bounds[1], stored.high), stored.bits)


def _spread(values: Any, rank: int, node: Any) -> Any:
    """Shape per-channel values so that they broadcast along the node's axis; one value becomes a scalar."""
    if values.size == 1:
        return values.reshape(())
    axis = attributes(node).get("axis", 1)
    shape = [1] * rank
    shape[axis] = values.size
    return values.reshape(shape)


def _mend_constant(
    network: NetworkGraph, dequantize: Any, stored: Any, scale: Any, zero: Any, limits: IntegerRange, clip: Any
) -> Change:
    """Replace a stored constant by its float values, with a quantizer unless it is a bias."""
    import numpy as np

    scale, zero = _spread(scale, stored.ndim, dequantize), _spread(zero, stored.ndim, dequantize)
    integers = np.clip(stored.astype(np.int64), limits.low, limits.high) - zero
    values = (integers.astype(np.float32) * scale).astype(np.float32)
    target = dequantize.output[0]
    names = (*((clip.name,) if clip is not None else ()), dequantize.name)
    if limits.bits >= _BIAS_BITS:
        network.redirect(target, network.add_constant(f"{target}_values", values))
        after = f"a float constant of {list(values.shape)} with the same values"
    else:
        shift_low, shift_high = int((limits.low - zero).min()), int((limits.high - zero).max())
        fallback = (count_signed_bits(shift_low, shift_high), True, False)
        bits, signed, narrow = find_integer_type(shift_low, shift_high) or fallback
        name = network.add_constant(f"{target}_values", values)
        quant = make_quant(
            network, dequantize.name, name, target, scale=scale, bits=bits, signed=signed, narrow=narrow
        )
        network.insert_before(dequantize, quant)
        after = _after(bits, signed, scale, zero)
    network.remove(dequantize)
    if clip is not None and not network.consumers(clip.output[0]):
        network.remove(clip)
    return Change(kind=KIND, names=names, before="integers behind DequantizeLinear", after=after, reason=_REASON)


def _after(bits: int, signed: bool, scale: Any, zero: Any) -> str:
    kind = f"Quant of {bits} bits, {'signed' if signed else 'unsigned'}"
    kind += f", {scale.size} scales" if scale.size > 1 else ""
    return kind + (f", zero point {zero.ravel()[0]} folded" if zero.any() else "")


def _mend_activation(
    network: NetworkGraph, dequantize: Any, quantize: Any, scale: Any, zero: Any, limits: IntegerRange, clip: Any
) -> Change:
    """Replace the chain of an activation, or of float weights."""
    import numpy as np

    source, target = quantize.input[0], dequantize.output[0]
    before = source
    shape = network.shape(source)
    if scale.size > 1 and shape is None:
        raise _refuse(quantize, f"the rank of {source!r} is not known")
    rank = len(shape or ())
    scale, zero = _spread(scale, rank, quantize), _spread(zero, rank, quantize)
    if zero.size > 1 and (zero != zero.ravel()[0]).any():
        raise _refuse(quantize, "it has one zero point per channel", "quantize activations symmetrically")
    low, high = limits.low - int(zero.ravel()[0]), limits.high - int(zero.ravel()[0])
    found = find_integer_type(low, high)
    stored = network.constant(source)
    if found is None and stored is not None:
        integers = np.clip(np.round(stored / scale), low, high)
        found, source = fit_integer_type(integers), network.add_constant(f"{target}_values", integers * scale)
    if found is not None:
        bits, signed, narrow = found
        made = [
            make_quant(network, dequantize.name, source, target, scale=scale, bits=bits, signed=signed, narrow=narrow)
        ]
        after = _after(bits, signed, scale, zero)
    else:
        if limits.bits > MOST_BITS or (scale.size > 1 and scale.shape[1] == 1):
            raise _refuse(
                quantize,
                f"no bit width has the integers from {low} to {high}, and thresholds take "
                f"{MOST_BITS} bits and scales along axis 1",
                "quantize symmetrically",
            )
        source, levels = absorb_bounds(network, source, Levels(scale, 0.0, low, high))
        low, high = levels.low, levels.high
        made = make_threshold_nodes(network, dequantize.name, source, target, levels)
        after = f"{high - low} thresholds for the integers from {low} to {high}"
    network.insert_before(dequantize, *made)
    names = (quantize.name, *((clip.name,) if clip is not None else ()), dequantize.name)
    network.remove(dequantize)
    for node in (clip, quantize):
        if node is not None and not network.consumers(node.output[0]) and not network.is_output(node.output[0]):
            network.remove(node)
    remove_unread(network, before)
    return Change(
        kind=KIND,
        names=names,
        before=" -> ".join(node.op_type for node in (quantize, clip, dequantize) if node is not None),
        after=after,
        reason=_REASON,
    )
