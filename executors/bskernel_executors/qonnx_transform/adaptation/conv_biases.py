"""Quantized biases of convolutions, in the only form that qonnx takes out of a convolution."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.network_graph import QUANTIZERS, NetworkGraph

KIND = "conv_biases"
_BIAS = 2  # the operand of Conv and ConvTranspose


def mend_conv_biases(model: Any) -> list[Change]:
    """Give each bias, and each parameter of its quantizer, a constant of its own; scalars get the shape (1,).

    qonnx reshapes these constants to (1, C, 1, 1) in place, also when other nodes read them, and fails on scalars.
    """
    network = NetworkGraph(model)
    changes = []
    for node in network.nodes:
        if node.op_type not in {"Conv", "ConvTranspose"} or len(node.input) <= _BIAS or not node.input[_BIAS]:
            continue
        holder, first = node, _BIAS
        producer = network.producer(node.input[_BIAS])
        if producer is not None and producer.op_type in QUANTIZERS:
            holder, first = producer, 0
        elif network.constant(node.input[_BIAS]) is None:
            continue
        changed = [_own(network, holder, at) for at in range(first, min(len(holder.input), first + 3))]
        if any(changed):
            changes.append(
                Change(
                    kind=KIND,
                    names=(node.name,),
                    before="a bias whose constants are shared, or scalars",
                    after="constants of its own, of rank 1",
                    reason="qonnx changes their shape when it takes the bias out of the convolution",
                )
            )
    if changes:
        network.drop_unused()
    return changes


def _own(network: NetworkGraph, node: Any, at: int) -> bool:
    """Give an operand a constant of its own, of rank 1 if it is a scalar. False when it is fine already."""
    name = node.input[at]
    value = network.constant(name)
    readers = sum(list(other.input).count(name) for other in network.nodes)
    if value is None or (value.ndim > 0 and readers == 1):
        return False
    node.input[at] = network.add_constant(f"{name}_bias", value.reshape(-1) if value.ndim == 0 else value)
    return True
