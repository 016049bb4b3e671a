"""Zero points: folded into the weights, or into an Add on either side of an activation's quantizer.

FINN takes quantizers with the zero point 0 only. Quant computes (round(clip(x / s + z)) - z) * s, so the same values
come from x / s + z, a quantizer of scale 1, then - z and * s; FINN moves these into thresholds and past layers.
"""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.network_graph import (
    NetworkGraph,
    describe,
    fit_integer_type,
    set_attribute,
)
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
    given = {attribute.name: attribute for attribute in node.attribute}
    values = int_quant(
        stored,
        scale,
        zero,
        bits,
        given["signed"].i if "signed" in given else 1,
        given["narrow"].i if "narrow" in given else 0,
        given["rounding_mode"].s.decode() if "rounding_mode" in given else "ROUND",
    ).astype(np.float32)
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
    import numpy as np
    from onnx import helper

    scale, zero, source, target = node.input[1], network.constant(node.input[2]), node.input[0], node.output[0]
    shift = network.add_constant(f"{node.name}_zero_point", zero.astype(np.float32))
    names = [network.new_tensor(f"{target}_{word}") for word in ("scaled", "shifted", "rounded", "centred")]
    divide, add, subtract, multiply = (
        helper.make_node(operator, [first, second], [output], name=network.new_name(f"{node.name}_{operator}"))
        for operator, first, second, output in (
            ("Div", source, scale, names[0]),
            ("Add", names[0], shift, names[1]),
            ("Sub", names[2], shift, names[3]),
            ("Mul", names[3], scale, target),
        )
    )
    network.insert_before(node, divide, add)
    network.insert_after(node, subtract, multiply)
    node.input[0], node.output[0] = names[1], names[2]
    node.input[1] = network.add_constant(f"{node.name}_scale", np.ones((), np.float32))
    node.input[2] = network.add_constant(f"{node.name}_no_zero_point", np.zeros((), np.float32))
    return Change(
        kind=KIND,
        names=(node.name,),
        before=f"zero point {zero.ravel()[0]:g}",
        after="an Add before the quantizer and a Sub behind it",
        reason=_REASON,
    )
