"""Versions of ONNX that FINN's libraries do not know yet: lowered where the operators are the same."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change, group_changes
from bskernel_executors.sdk import StepFailure

KIND = "opset"
# What onnx 1.17 and onnxruntime 1.20 know, with which FINN+ 1.4.0 runs.
NEWEST_OPSET, NEWEST_IR = 21, 10


def mend_opset(model: Any) -> list[Change]:
    """Lower the opset and the IR version. Raises StepFailure (model_load) for an operator that is newer."""
    lowered: dict[tuple[str, str], tuple[str, ...]] = {}
    entry = next((entry for entry in model.opset_import if not entry.domain), None)
    if entry is not None and entry.version > NEWEST_OPSET:
        for node in model.graph.node:
            problem = None if node.domain else _explain(node, entry.version)
            if problem:
                raise StepFailure(
                    category="model_load",
                    message=f"{node.op_type} {node.name} needs opset {entry.version}, but FINN's libraries know "
                    f"opset {NEWEST_OPSET}: {problem}",
                    hint=f"export the model with opset {NEWEST_OPSET} or older (opset_version of torch.onnx.export)",
                )
        lowered[f"opset {entry.version}", f"opset {NEWEST_OPSET}"] = ()
        entry.version = NEWEST_OPSET
    if model.ir_version > NEWEST_IR:
        lowered[f"IR version {model.ir_version}", f"IR version {NEWEST_IR}"] = ()
        model.ir_version = NEWEST_IR
    return group_changes(KIND, lowered, "FINN's libraries know no newer one, and this network is the same in both")


def _explain(node: Any, version: int) -> str | None:
    """Why the node cannot be written in the newest known opset, or None."""
    from onnx import defs, helper

    try:
        new = defs.get_schema(node.op_type, version, "")
    except defs.SchemaError:
        return "the operator is unknown"
    try:
        old = defs.get_schema(node.op_type, NEWEST_OPSET, "")
    except defs.SchemaError:
        return f"the operator exists since opset {new.since_version}"
    if new.since_version == old.since_version:
        return None
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    # An attribute that says what the older opset does anyway is left out there.
    for key, value in values.items():
        if key not in old.attributes:
            default = new.attributes[key].default_value if key in new.attributes else None
            if default is None or helper.get_attribute_value(default) != value:
                return f"its attribute {key} is newer"
    if len(node.input) > old.max_input:
        return f"it has {len(node.input)} inputs, but at most {old.max_input} there"
    for attribute in [item for item in node.attribute if item.name not in old.attributes]:
        node.attribute.remove(attribute)
    return None
