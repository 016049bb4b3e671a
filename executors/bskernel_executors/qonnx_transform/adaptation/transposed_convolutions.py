"""Transposed convolutions in the form that FINN lowers: one group, equal pads, no output padding."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.layers import is_quantized
from bskernel_executors.qonnx_transform.adaptation.network_graph import (
    QUANTIZERS,
    NetworkGraph,
    attributes,
    describe,
    set_attribute,
)
from bskernel_executors.sdk import StepFailure

KIND = "transposed_convolutions"


def mend_transposed_convolutions(model: Any) -> list[Change]:
    """Turn output padding into rows and columns of zeros at the end of the kernel, which add as much to the output.

    Raises StepFailure (model_load) for a quantized layer that FINN would lower to another one.
    """
    network = NetworkGraph(model)
    changes = []
    for node in network.nodes:
        if node.op_type != "ConvTranspose" or not is_quantized(network, node.input[0], set()):
            continue
        given = attributes(node)
        padding = tuple(given.get("output_padding", ()))
        _check(node, given)
        if any(padding):
            changes.append(_extend(network, node, given, padding))
    if changes:
        network.drop_unused()
    return changes


def _check(node: Any, given: dict[str, Any]) -> None:
    """Refuse what FINN's InferPixelPaddingDeconv leaves out, or computes with the first of the pads alone."""
    kernel, pads = given.get("kernel_shape", ()), given.get("pads", ())
    if given.get("group", 1) != 1:
        why, hint = f"has {given['group']} groups", "use groups = 1, or upsampling and a convolution"
    elif given.get("output_shape"):
        why, hint = "states its output shape", "state padding and output_padding instead"
    elif len(set(pads)) > 1 or len(set(kernel)) > 1:
        why, hint = (
            f"has the kernel {list(kernel)} and the pads {list(pads)}",
            "use a square kernel and equal padding",
        )
    else:
        return
    raise StepFailure(
        category="model_load", message=f"{describe(node)} {why}, which FINN does not lower to hardware", hint=hint
    )


def _extend(network: NetworkGraph, node: Any, given: dict[str, Any], padding: tuple[int, ...]) -> Change:
    import numpy as np

    holder, at = node, 1
    producer = network.producer(node.input[1])
    if producer is not None and producer.op_type in QUANTIZERS:
        holder, at = producer, 0
    value = network.constant(holder.input[at])
    if value is None or len(set(padding)) > 1 or (producer is not None and len(network.consumers(node.input[1])) > 1):
        raise StepFailure(
            category="model_load",
            message=f"{describe(node)} has the output padding {list(padding)}, which cannot go into its weights",
            hint="use a kernel that is a multiple of the stride, without output_padding",
        )
    wide = np.pad(value, [(0, 0), (0, 0), *((0, size) for size in padding)])
    holder.input[at] = network.add_constant(f"{holder.input[at]}_extended", wide)
    set_attribute(node, "kernel_shape", list(wide.shape[2:]))
    set_attribute(node, "output_padding", [0] * len(padding))
    return Change(
        kind=KIND,
        names=(node.name,),
        before=f"output padding {list(padding)} with the kernel {list(given.get('kernel_shape', value.shape[2:]))}",
        after=f"a kernel of {list(wide.shape[2:])} that ends in zeros",
        reason="FINN lowers transposed convolutions without output padding; zeros in the kernel give the same output",
    )
