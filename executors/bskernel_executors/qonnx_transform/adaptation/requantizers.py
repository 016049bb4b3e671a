"""Quantizers that change nothing, and quantizers that are wider than what reaches them."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.clips import read_levels
from bskernel_executors.qonnx_transform.adaptation.network_graph import NetworkGraph, set_attribute

KIND = "requantizers"
_NEAREST = frozenset({"ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN"})
_PASSING = frozenset({"MaxPool", "Reshape", "Flatten", "Transpose", "Identity", "Squeeze", "Unsqueeze"})


def mend_requantizers(model: Any) -> list[Change]:
    """Remove quantizers that keep every value they read, and make those of values from 0 unsigned."""
    network = NetworkGraph(model)
    changes = []
    for node in network.nodes:
        if node.op_type != "Quant" or network.constant(node.input[0]) is not None:
            continue
        before = _wider_than_needed(network, node)
        if before is not None and not network.is_output(node.output[0]):
            network.redirect(node.output[0], node.input[0])
            network.remove(node)
            changes.append(
                Change(
                    kind=KIND,
                    names=(node.name,),
                    before="Quant",
                    after="removed",
                    reason=f"{before} gives values that it keeps, and nothing between them changes one",
                )
            )
        elif _never_negative(network, node):
            changes.append(_make_unsigned(network, node))
    if changes:
        network.drop_unused()
    return changes


def _find_source(network: NetworkGraph, name: str) -> Any:
    """The node whose values reach a tensor unchanged."""
    producer = network.producer(name)
    while producer is not None and producer.op_type in _PASSING:
        producer = network.producer(producer.input[0])
    return producer


def _wider_than_needed(network: NetworkGraph, node: Any) -> str | None:
    """The name of a quantizer before this one whose values this one keeps, all of them, or None."""
    source = _find_source(network, node.input[0])
    if source is None or source.op_type != "Quant":
        return None
    here, before = read_levels(network, node), read_levels(network, source)
    if here is None or before is None or here.zero or before.zero or here.scale.size > 1 or before.scale.size > 1:
        return None
    if here.mode not in _NEAREST:
        return None  # q * s / s may be less than q by a rounding error, which these modes would take for a whole step
    same = here.scale.item() == before.scale.item() and here.low <= before.low and before.high <= here.high
    return str(source.name) if same else None


def _never_negative(network: NetworkGraph, node: Any) -> bool:
    """Whether a signed quantizer reads what is never below zero."""
    source, here = _find_source(network, node.input[0]), read_levels(network, node)
    if source is None or here is None or here.zero or here.low >= 0:
        return False
    before = read_levels(network, source) if source.op_type == "Quant" else None
    return bool(source.op_type == "Relu" or (before is not None and not before.zero and before.low >= 0))


def _make_unsigned(network: NetworkGraph, node: Any) -> Change:
    """Where its negative half is never reached, one bit less, unsigned, is the same."""
    bits = network.constant(node.input[3])
    node.input[3] = network.add_constant(f"{node.name}_bits", bits - bits.dtype.type(1))
    set_attribute(node, "signed", 0)
    set_attribute(node, "narrow", 0)
    return Change(
        kind=KIND,
        names=(node.name,),
        before=f"signed Quant of {bits.item():g} bits of values from 0",
        after=f"unsigned Quant of {bits.item() - 1:g} bits",
        reason="its negative values are never reached, and FINN takes only unsigned quantizers there",
    )
