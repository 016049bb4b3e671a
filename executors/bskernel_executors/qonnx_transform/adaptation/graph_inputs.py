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
    """Leave only the tensors that a user gives and the network reads; initializers are constants, listed or not."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    listed = [value for value in graph.input if value.name in constants]
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    unused = [value for value in list_inputs(graph) if value.name not in used]
    changes = [
        Change(
            kind=KIND,
            names=tuple(value.name for value in values),
            before=before,
            after=after,
            reason=reason,
        )
        for values, before, after, reason in (
            (
                listed,
                "initializers that are listed as inputs of the graph",
                "constants",
                "they have values, and an input may be replaced by the caller, so that nothing could be folded",
            ),
            (unused, "inputs that no node reads", "removed", "hardware has no port for them"),
        )
        if values
    ]
    for value in (*listed, *unused):
        graph.input.remove(value)
    return changes
