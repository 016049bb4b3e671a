"""Zero points: folded into the weights, or into the thresholds of an activation.

FINN takes quantizers with the zero point 0 only. Integers q with the zero point z stand for (q - z) * s: weights are
stored so from the start, and thresholds count up to q - z as well as to q.
"""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.clips import absorb_bounds, read_levels, remove_unread
from bskernel_executors.qonnx_transform.adaptation.network_graph import (
    NetworkGraph,
    attributes,
    describe,
    fit_integer_type,
    set_attribute,
)
from bskernel_executors.qonnx_transform.adaptation.thresholds import MOST_BITS, make_threshold_nodes
from bskernel_executors.sdk import StepFailure

KIND = "zero_points"
_REASON = "FINN takes quantizers with the zero point 0 only"


def mend_zero_points(model: Any) -> list[Change]:
    """Fold the zero point of every quantizer. Raises StepFailure (model_load) for one that cannot be folded."""
    import numpy as np

    network = NetworkGraph(model)
    changes = []
    for node in network.nodes:
        if node.op_type not in {"Quant", "IntQuant"}:
            continue
        zero = network.constant(node.input[2])
        if zero is None:
            raise _refuse(node, "is computed, not a constant")
        if not np.any(zero):
            continue
        if (zero != np.round(zero)).any():
            raise _refuse(node, f"is {zero.ravel()[0]:g}, not a whole number")
        if network.constant(node.input[1]) is None or network.constant(node.input[3]) is None:
            raise _refuse(node, "cannot be folded, for its scale or bit width is computed")
        stored = network.constant(node.input[0])
        changes.append(
            _fold_weights(network, node, stored) if stored is not None else _fold_activation(network, node)
        )
    if changes:
        network.drop_unused()
    return changes


def _refuse(node: Any, why: str) -> StepFailure:
    return StepFailure(
        category="model_load",
        message=f"the zero point of {describe(node)} {why}",
        hint="train with a symmetric quantizer, such as Brevitas' Int8ActPerTensorFloat or Uint8ActPerTensorFloat",
    )


def _fold_weights(network: NetworkGraph, node: Any, stored: Any) -> Change:
    """Weights that are q - z from the start: the smallest signed type that holds them all gives the same values."""
    import numpy as np
    from qonnx.custom_op.general.intquant import int_quant

    scale, zero, bits = (network.constant(name) for name in node.input[1:4])
    given = attributes(node)
    signs, mode = (given.get("signed", 1), given.get("narrow", 0)), given.get("rounding_mode", b"ROUND").decode()
    values = int_quant(stored, scale, zero, bits, *signs, mode).astype(np.float32)
    width, signed, narrow = fit_integer_type(np.round(values / scale))
    node.input[0] = network.add_constant(f"{node.input[0]}_shifted", values)
    node.input[2] = network.add_constant(f"{node.name}_zero_point", np.zeros((), np.float32))
    node.input[3] = network.add_constant(f"{node.name}_bits", np.asarray(width, np.float32))
    for name, value in (("signed", int(signed)), ("narrow", int(narrow)), ("rounding_mode", "ROUND")):
        set_attribute(node, name, value)
    return Change(
        kind=KIND,
        names=(node.name,),
        before=f"weights of {int(bits.ravel()[0])} bits with the zero point {zero.ravel()[0]:g}",
        after=f"the same values as signed weights of {width} bits",
        reason=_REASON,
    )


def _fold_activation(network: NetworkGraph, node: Any) -> Change:
    levels = read_levels(network, node)
    if levels is None:
        raise _refuse(
            node,
            f"cannot be folded: folding takes one zero point, {MOST_BITS} bits, and scales per tensor or channel",
        )
    before = node.input[0]
    source, levels = absorb_bounds(network, before, levels)
    point, low, high = levels.zero, levels.low, levels.high
    network.insert_before(node, *make_threshold_nodes(network, node.name, source, node.output[0], levels))
    network.remove(node)
    remove_unread(network, before)
    return Change(
        kind=KIND,
        names=(node.name,),
        before=f"Quant with the zero point {point:g}",
        after=f"{high - low} thresholds for the integers from {low - point:g} to {high - point:g}",
        reason=_REASON,
    )
