"""Inputs of a graph: parameters that are listed among them, and integers that are cast first of all."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change

KIND = "inputs"


def mend_inputs(model: Any) -> list[Change]:
    """Leave only the tensors that a user gives: initializers are constants, whether listed as inputs or not."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    listed = [value for value in graph.input if value.name in constants]
    if not listed:
        return []
    for value in listed:
        graph.input.remove(value)
    return [
        Change(
            kind=KIND,
            names=tuple(value.name for value in listed),
            before="initializers that are listed as inputs of the graph",
            after="constants",
            reason="they have values, and an input may be replaced by the caller, so that nothing could be folded",
        )
    ]
