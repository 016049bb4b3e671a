"""Clip and ReLU before a quantizer: their bounds are bounds of its levels, and FINN has no layer for Clip."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.network_graph import (
    NetworkGraph,
    attributes,
    find_integer_type,
    set_attribute,
)
from bskernel_executors.qonnx_transform.adaptation.thresholds import MOST_BITS, Levels, make_threshold_nodes

KIND = "clips"
_REASON = "FINN has no layer for Clip, and the quantizer clips anyway"


def mend_clips(model: Any) -> list[Change]:
    """Take a Clip with constant bounds into the quantizer that alone reads it."""
    network = NetworkGraph(model)
    changes = []
    for node in network.nodes:
        producer = network.producer(node.input[0]) if node.op_type == "Quant" else None
        if producer is None or producer.op_type != "Clip":
            continue
        levels = read_levels(network, node)
        if levels is None or levels.zero:
            continue
        source, bounded = absorb_bounds(network, node.input[0], levels)
        if source == node.input[0]:
            continue
        clip, before = producer.name, node.input[0]
        after = _replace(network, node, source, levels, bounded)
        remove_unread(network, before)
        changes.append(
            Change(kind=KIND, names=(clip, node.name), before="Clip -> Quant", after=after, reason=_REASON)
        )
    if changes:
        network.drop_unused()
    return changes


def read_levels(network: NetworkGraph, node: Any) -> Levels | None:
    """What a Quant of an activation computes, or None if thresholds cannot express it."""
    from qonnx.custom_op.general.intquant import max_int, min_int

    scale, zero, bits = (network.constant(name) for name in node.input[1:4])
    if scale is None or zero is None or bits is None or bits.size > 1 or bits.item() > MOST_BITS:
        return None
    shape = (network.shape(node.input[0]) or ()) if scale.size > 1 else ()
    along = [at for at, size in enumerate((1,) * (len(shape) - scale.ndim) + scale.shape) if size > 1]
    if (zero != zero.ravel()[0]).any() or (scale <= 0).any() or along not in ([], [1]):
        return None
    given = attributes(node)
    signed, narrow, width = given.get("signed", 1), given.get("narrow", 0), int(bits.item())
    if signed and width == 1:
        return None  # qonnx computes such a quantizer as a bipolar one
    low, high = int(min_int(signed, narrow, width)), int(max_int(signed, narrow, width))
    mode = given.get("rounding_mode", b"ROUND").decode().upper()
    return Levels(scale, float(zero.ravel()[0]), low, high, mode)


def absorb_bounds(network: NetworkGraph, source: str, levels: Levels) -> tuple[str, Levels]:
    """Go back past ReLUs and Clips: the tensor before them, and the levels between their bounds."""
    producer = network.producer(source)
    while producer is not None and producer.op_type in {"Relu", "Clip"}:
        bounds = (0.0, None) if producer.op_type == "Relu" else _clip_bounds(network, producer)
        reached = [None if bound is None else _level(levels, bound) for bound in bounds]
        if any(bound is not None and level is None for bound, level in zip(bounds, reached, strict=True)):
            break
        low = levels.low if reached[0] is None else max(levels.low, reached[0])
        high = levels.high if reached[1] is None else min(levels.high, reached[1])
        if low >= high:
            break
        source, levels = producer.input[0], levels._replace(low=low, high=high)
        producer = network.producer(source)
    return source, levels


def remove_unread(network: NetworkGraph, tensor: str) -> None:
    """Remove the ReLUs and Clips behind which nothing is left."""
    while not network.consumers(tensor) and not network.is_output(tensor):
        producer = network.producer(tensor)
        if producer is None or producer.op_type not in {"Relu", "Clip"}:
            return
        tensor = producer.input[0]
        network.remove(producer)


def _clip_bounds(network: NetworkGraph, clip: Any) -> tuple[float | None, float | None]:
    """The bounds of a Clip; NaN for one that is computed."""
    given = attributes(clip)
    found = []
    for at, name in ((1, "min"), (2, "max")):
        value: Any = given.get(name)
        if len(clip.input) > at and clip.input[at]:
            constant = network.constant(clip.input[at])
            value = float("nan") if constant is None else float(constant)
        found.append(value)
    return found[0], found[1]


def _level(levels: Levels, bound: float) -> int | None:
    """The level of a bound, if it is the same in all channels."""
    import numpy as np

    if np.isnan(bound):
        return None
    reached = np.unique(levels.count(np.float32(bound)))
    return int(reached[0]) if reached.size == 1 else None


def _replace(network: NetworkGraph, node: Any, source: str, levels: Levels, bounded: Levels) -> str:
    """Have the quantizer read `source`, with fewer levels if it must; say what it is now."""
    import numpy as np

    if (bounded.low, bounded.high) == (levels.low, levels.high):
        node.input[0] = source
        return "the same Quant"
    found = find_integer_type(bounded.low, bounded.high)
    if found is None:
        network.insert_before(node, *make_threshold_nodes(network, node.name, source, node.output[0], bounded))
        network.remove(node)
        return f"{bounded.high - bounded.low} thresholds for the integers from {bounded.low} to {bounded.high}"
    bits, signed, narrow = found
    node.input[0] = source
    node.input[3] = network.add_constant(f"{node.name}_bits", np.asarray(bits, np.float32))
    set_attribute(node, "signed", int(signed))
    set_attribute(node, "narrow", int(narrow))
    return f"Quant of {bits} bits for the integers from {bounded.low} to {bounded.high}"
