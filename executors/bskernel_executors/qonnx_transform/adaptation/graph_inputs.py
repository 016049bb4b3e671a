"""Inputs of a graph: what a user gives, and parameters that are listed beside it."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change

KIND = "inputs"


def list_inputs(graph: Any) -> list[Any]:
    """The inputs that a user gives: not the initializers that are listed among them."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


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
