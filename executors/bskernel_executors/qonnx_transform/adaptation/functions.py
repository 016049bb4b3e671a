"""Functions that the model defines itself: inlined, because qonnx and FINN read one flat graph."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change

KIND = "functions"


def inline_functions(model: Any) -> list[Change]:
    """Put the nodes of each local function where the function is called."""
    from onnx import inliner

    if not model.functions:
        return []
    known = {(function.domain, function.name) for function in model.functions}
    names = tuple(node.name for node in model.graph.node if (node.domain, node.op_type) in known)
    text = ", ".join(sorted({name for _, name in known}))
    model.CopyFrom(inliner.inline_local_functions(model))
    return [
        Change(
            kind=KIND,
            names=names,
            before=f"calls of the model's own functions {text}",
            after="their nodes",
            reason="qonnx and FINN read one flat graph",
        )
    ]
