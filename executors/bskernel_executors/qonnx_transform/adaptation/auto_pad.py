"""auto_pad of convolutions and pools, resolved into the pads that it stands for."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change, group_changes
from bskernel_executors.qonnx_transform.adaptation.shapes import Shape, infer_shapes

KIND = "auto_pad"


def resolve_auto_pad(model: Any) -> list[Change]:
    """Replace auto_pad by pads. A node whose shapes are unknown keeps it."""
    from onnx import helper

    found: dict[tuple[str, str], list[str]] = {}
    nodes = [node for node in model.graph.node if not node.domain and _attributes(node).get("auto_pad")]
    shapes = infer_shapes(model) if nodes else {}
    for node in nodes:
        values = _attributes(node)
        mode = values["auto_pad"].decode()
        pads = values.get("pads") if mode == "NOTSET" else _resolve(node, mode, values, shapes)
        if mode != "NOTSET" and pads is None:
            continue
        for attribute in [item for item in node.attribute if item.name in {"auto_pad", "pads"}]:
            node.attribute.remove(attribute)
        if pads is not None:
            node.attribute.append(helper.make_attribute("pads", pads))
        if mode != "NOTSET":
            found.setdefault((f"auto_pad = {mode}", f"pads = {list(pads or ())}"), []).append(node.name)
    reason = "qonnx and FINN read pads alone; these are the same for the shapes of this network"
    return group_changes(KIND, found, reason)


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _resolve(node: Any, mode: str, values: dict[str, Any], shapes: dict[str, Shape]) -> list[int] | None:
    """Return ONNX's pads: all starts, then all ends. The formulas are those of its operators' specification."""
    given, made = shapes.get(node.input[0]), shapes.get(node.output[0])
    weights = shapes.get(node.input[1]) if "Conv" in node.op_type else None
    kernel = values.get("kernel_shape") or (weights[2:] if weights else None)
    if kernel is None:
        return None
    rank = len(kernel)
    if mode == "VALID":
        return [0] * (2 * rank)
    if given is None or made is None:
        return None
    starts, ends = [], []
    for axis in range(rank):
        stride = values.get("strides", [1] * rank)[axis]
        extent = (kernel[axis] - 1) * values.get("dilations", [1] * rank)[axis] + 1
        size = given[2 + axis]
        if node.op_type == "ConvTranspose":
            added = values.get("output_padding", [0] * rank)[axis]
            total = max(stride * (size - 1) + added + extent - made[2 + axis], 0)
        else:
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        less, more = total // 2, total - total // 2
        starts.append(less if mode == "SAME_UPPER" else more)
        ends.append(more if mode == "SAME_UPPER" else less)
    return starts + ends
