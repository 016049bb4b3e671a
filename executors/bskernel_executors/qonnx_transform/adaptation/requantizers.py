"""Quantizers that change nothing, and quantizers that are wider than what reaches them."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.network_graph import NetworkGraph, attributes, set_attribute

KIND = "requantizers"
_PASSING = frozenset({"MaxPool", "Reshape", "Flatten", "Transpose", "Identity", "Squeeze", "Unsqueeze"})


def mend_requantizers(model: Any) -> list[Change]:
    """Remove quantizers of values that are quantized in the same way, and make those behind a ReLU unsigned."""
    network = NetworkGraph(model)
    changes = []
    for node in network.nodes:
        if node.op_type != "Quant" or network.constant(node.input[0]) is not None:
            continue
        before = _same_before(network, node)
        if before is not None and not network.is_output(node.output[0]):
            network.redirect(node.output[0], node.input[0])
            network.remove(node)
            changes.append(
                Change(
                    kind=KIND,
                    names=(node.name,),
                    before="Quant",
                    after="removed",
                    reason=f"{before} quantizes in the same way, and nothing between them changes a value",
                )
            )
        elif _behind_relu(network, node):
            changes.append(_make_unsigned(network, node))
    if changes:
        network.drop_unused()
    return changes


def _parameters(network: NetworkGraph, node: Any) -> tuple[Any, ...] | None:
    constants = [network.constant(name) for name in node.input[1:4]]
    if any(value is None or value.size != 1 for value in constants):
        return None
    given = attributes(node)
    mode = given.get("rounding_mode", b"ROUND").upper()
    return (*(float(value.ravel()[0]) for value in constants), given.get("signed", 1), given.get("narrow", 0), mode)


def _same_before(network: NetworkGraph, node: Any) -> str | None:
    """The name of the quantizer before this one that has the same parameters, one per tensor, or None."""
    producer = network.producer(node.input[0])
    while producer is not None and producer.op_type in _PASSING:
        if producer.op_type == "MaxPool" and any(attributes(producer).get("pads", ())):
            return None
        producer = network.producer(producer.input[0])
    if producer is None or producer.op_type != "Quant":
        return None
    wanted = _parameters(network, node)
    return str(producer.name) if wanted is not None and _parameters(network, producer) == wanted else None


def _behind_relu(network: NetworkGraph, node: Any) -> bool:
    import numpy as np

    producer = network.producer(node.input[0])
    bits = network.constant(node.input[3])
    zero = network.constant(node.input[2])
    return (
        producer is not None
        and producer.op_type == "Relu"
        and bool(attributes(node).get("signed", 1))
        and bits is not None
        and bits.size == 1
        and bits.item() > 1
        and zero is not None
        and not np.any(zero)
    )


def _make_unsigned(network: NetworkGraph, node: Any) -> Change:
    """Behind a ReLU the negative half of a signed quantizer is never reached: one bit less, unsigned, is the same."""
    bits = network.constant(node.input[3])
    node.input[3] = network.add_constant(f"{node.name}_bits", bits - bits.dtype.type(1))
    set_attribute(node, "signed", 0)
    set_attribute(node, "narrow", 0)
    return Change(
        kind=KIND,
        names=(node.name,),
        before=f"signed Quant of {bits.item():g} bits behind a ReLU",
        after=f"unsigned Quant of {bits.item() - 1:g} bits",
        reason="its negative values are never reached, and FINN takes unsigned quantizers only behind a ReLU",
    )
