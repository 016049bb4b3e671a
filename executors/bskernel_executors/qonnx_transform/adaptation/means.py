"""Means over all pixels of an image, which FINN knows as global average pools."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change, group_changes
from bskernel_executors.qonnx_transform.adaptation.constants import Constants
from bskernel_executors.qonnx_transform.adaptation.names import list_tensors, unique_name
from bskernel_executors.qonnx_transform.adaptation.shapes import infer_shapes

KIND = "means"


def mend_means(model: Any) -> list[Change]:
    """Replace ReduceMean over all axes behind the channels by GlobalAveragePool, and Flatten unless it keeps them."""
    from onnx import helper

    graph = model.graph
    nodes = [node for node in graph.node if node.op_type == "ReduceMean" and not node.domain]
    if not nodes:
        return []
    shapes, constants, taken = infer_shapes(model), Constants(graph), list_tensors(graph)
    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        rank = len(shapes.get(node.input[0], ()))
        values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        axes = values.get("axes")
        if axes is None and len(node.input) > 1 and node.input[1]:
            axes = constants.read(node.input[1])
        if rank < 3 or axes is None or sorted(int(axis) % rank for axis in axes) != list(range(2, rank)):
            continue
        node.op_type = "GlobalAveragePool"
        del node.attribute[:]
        del node.input[1:]
        after = "GlobalAveragePool"
        if not values.get("keepdims", 1):
            made, pooled = node.output[0], unique_name(f"{node.output[0]}_pooled", taken)
            node.output[0] = pooled
            flatten = helper.make_node("Flatten", [pooled], [made], name=f"{node.name}_flatten", axis=1)
            graph.node.insert(list(graph.node).index(node) + 1, flatten)
            after = "GlobalAveragePool and Flatten"
        found.setdefault(("ReduceMean over all pixels", after), []).append(node.name)
    reason = "the same value per channel, in the form that FINN maps to hardware"
    return group_changes(KIND, found, reason)
