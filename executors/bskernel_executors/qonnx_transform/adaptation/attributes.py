"""Attributes that ONNX lets an exporter leave out, but that qonnx and FINN read."""

from __future__ import annotations

from typing import Any, TypeAlias

from bskernel_executors.exchange.adaptation import Change, group_changes
from bskernel_executors.qonnx_transform.adaptation.constants import Constants
from bskernel_executors.qonnx_transform.adaptation.shapes import Shape, infer_shapes

KIND = "attributes"
Values: TypeAlias = dict[str, Any]
_WINDOWED = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"})
# With the default of ONNX's schema. What depends on the rank is made in `_window` and `_permutation`.
_READ: dict[str, tuple[str, ...]] = {
    "Conv": ("group",),
    "ConvTranspose": ("group",),
    "ArgMax": ("axis", "keepdims"),
    "TopK": ("axis",),
    "ReduceMean": ("keepdims",),
    "ReduceSum": ("keepdims",),
    "ReduceMax": ("keepdims",),
    "Split": ("axis",),
    "Resize": ("mode",),
    "Upsample": ("mode",),
}


def mend_attributes(model: Any) -> list[Change]:
    """Write ONNX's defaults where an attribute is left out."""
    from onnx import helper

    if not any(_missing(node) for node in model.graph.node if not node.domain):
        return []
    shapes, constants = infer_shapes(model), Constants(model.graph)
    version = next((entry.version for entry in model.opset_import if not entry.domain), 1)
    found: dict[tuple[str, str], list[str]] = {}
    for node in model.graph.node:
        missing = _missing(node)
        if node.domain or not missing:
            continue
        defaults = {**_schema(node, version), **_window(node, shapes, constants), **_permutation(node, shapes)}
        written = {key: defaults[key] for key in missing if key in defaults}
        node.attribute.extend(helper.make_attribute(key, value) for key, value in written.items())
        if written:
            text = ", ".join(f"{key} = {_show(value)}" for key, value in written.items())
            found.setdefault((f"attributes of {node.op_type} left out", text), []).append(node.name)
    return group_changes(KIND, found, "ONNX's defaults, which qonnx and FINN require to be written")


def _missing(node: Any) -> list[str]:
    wanted = list(_READ.get(node.op_type, ()))
    if node.op_type in _WINDOWED:
        wanted += ["kernel_shape", "strides", "pads"] + (["dilations"] if "Conv" in node.op_type else [])
    if node.op_type == "Transpose":
        wanted.append("perm")
    have = {attribute.name for attribute in node.attribute}
    if "auto_pad" in have and "pads" in wanted:
        wanted.remove("pads")  # `auto_pad` writes them
    return [key for key in wanted if key not in have]


def _schema(node: Any, version: int) -> Values:
    """The constant defaults of the operator in this version of ONNX."""
    from onnx import defs, helper

    known = defs.get_schema(node.op_type, version, "").attributes
    defaults = {key: known[key].default_value for key in _READ.get(node.op_type, ()) if key in known}
    return {key: helper.get_attribute_value(value) for key, value in defaults.items() if value.name}


def _window(node: Any, shapes: dict[str, Shape], constants: Constants) -> Values:
    if node.op_type not in _WINDOWED:
        return {}
    weights = node.input[1] if "Conv" in node.op_type else None
    kernel = (constants.shape(weights) or shapes.get(weights)) if weights else None
    stated = next((tuple(item.ints) for item in node.attribute if item.name == "kernel_shape"), None)
    size = stated or (kernel[2:] if kernel else None)
    if not size:
        return {}
    rank = len(size)
    return {
        "kernel_shape": list(size),
        "strides": [1] * rank,
        "pads": [0] * (2 * rank),
        "dilations": [1] * rank,
    }


def _permutation(node: Any, shapes: dict[str, Shape]) -> Values:
    shape = shapes.get(node.input[0]) if node.op_type == "Transpose" else None
    return {"perm": list(reversed(range(len(shape))))} if shape else {}


def _show(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
