"""What no mend can help: named with the node, and with what to do instead."""

from __future__ import annotations

from typing import Any

from bskernel_executors.dataflow.operators import is_hardware
from bskernel_executors.qonnx_transform.adaptation.domains import find_domain
from bskernel_executors.sdk import StepFailure

_CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_OPTIMIZED = "com.microsoft"


def refuse_unsupported(model: Any) -> None:
    """Raise StepFailure (model_load) for hardware graphs, control flow, and operators that nobody here knows."""
    from onnx import defs
    from qonnx.custom_op.registry import is_custom_op

    hardware = [node for node in model.graph.node if is_hardware(node) or _was_hardware(node)]
    if hardware:
        kinds = ", ".join(sorted({node.op_type for node in hardware}))
        raise _refusal(
            f"this is a hardware graph: {len(hardware)} of its {len(model.graph.node)} nodes are layers of FINN's "
            f"hardware ({kinds})",
            "begin at the step that takes such a graph: use --input-type hwgraph, or flow.input_type = "
            '"hwgraph" in the build file',
        )
    own = {(function.domain, function.name) for function in model.functions}
    for node in model.graph.node:
        what = f"{node.op_type} {node.name or '(which computes ' + ', '.join(node.output) + ')'}"
        domain = find_domain(node)
        if (node.domain, node.op_type) in own:
            continue
        if not domain and node.op_type in _CONTROL_FLOW:
            raise _refusal(
                f"{what} chooses at run time what is computed, but hardware computes one fixed graph",
                "export the network in evaluation mode and by tracing, without branches or loops that depend on data",
            )
        if domain == _OPTIMIZED:
            raise _refusal(
                f"{what} is an operator of onnxruntime's own ({domain})",
                "give the model as it was before onnxruntime optimized it",
            )
        if not domain and not defs.has(node.op_type, ""):
            raise _refusal(f"ONNX has no operator {what}", "check the export, or give the node its domain")
        if domain and domain != "ai.onnx.ml" and not is_custom_op(domain, node.op_type):
            raise _refusal(
                f"{what} is of the domain {domain}, in which qonnx knows no such operator",
                "write it with operators of ONNX, or with the quantizers of qonnx.custom_op.general",
            )


def _was_hardware(node: Any) -> bool:
    """Return whether the node is a hardware layer of FINN before 2021."""
    return node.domain == "finn" and any(
        attribute.name == "backend" and attribute.s == b"fpgadataflow" for attribute in node.attribute
    )


def _refusal(message: str, hint: str) -> StepFailure:
    return StepFailure(category="model_load", message=message, hint=hint)
