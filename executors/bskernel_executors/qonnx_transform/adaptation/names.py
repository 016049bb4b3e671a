"""Names of nodes and tensors: given where they are missing, unique where they were used twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bskernel_executors.exchange.adaptation import Change

KIND = "names"


def mend_names(model: Any) -> list[Change]:
    """Give each node a name of its own, and each tensor that a node computes."""
    return [*_name_nodes(model.graph), *_split_tensors(model.graph)]


def unique_name(wanted: str, taken: set[str]) -> str:
    """Return `wanted`, or `wanted` with the smallest number that makes it unique. Adds it to `taken`."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name


def list_tensors(graph: Any) -> set[str]:
    """All names of tensors in a graph."""
    found = {
        item.name for field in (graph.input, graph.output, graph.value_info, graph.initializer) for item in field
    }
    for node in graph.node:
        found.update(node.input, node.output)
    return found


def _name_nodes(graph: Any) -> list[Change]:
    taken = {node.name for node in graph.node}
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    named, renamed, old = [], [], []
    for node in graph.node:
        if not node.name:
            node.name = unique_name(f"{node.op_type}_{counts[node.op_type]}", taken)
            named.append(node.name)
        elif node.name in seen:
            old.append(node.name)
            node.name = unique_name(node.name, taken)
            renamed.append(node.name)
        seen.add(node.name)
        counts[node.op_type] += 1
    changes = []
    if named:
        changes.append(
            Change(kind=KIND, names=tuple(named), before="no name", after="named", reason="reports name each node")
        )
    if renamed:
        changes.append(
            Change(
                kind=KIND,
                names=tuple(renamed),
                before=f"names that other nodes have: {', '.join(dict.fromkeys(old))}",
                after="names of their own",
                reason="a name must mean one node",
            )
        )
    return changes


def _split_tensors(graph: Any) -> list[Change]:
    """Rename tensors that are computed again under a name in use. A node reads the newest tensor before it."""
    taken = list_tensors(graph)
    defined = {item.name for field in (graph.input, graph.initializer) for item in field}
    newest: dict[str, str] = {}
    renamed, old = [], []
    for node in graph.node:
        for at, name in enumerate(node.input):
            node.input[at] = newest.get(name, name)
        for at, name in enumerate(node.output):
            if name and name in defined:
                newest[name] = node.output[at] = unique_name(name, taken)
                renamed.append(node.output[at])
                old.append(name)
            defined.add(name)
    for output in graph.output:
        output.name = newest.get(output.name, output.name)
    if not renamed:
        return []
    return [
        Change(
            kind=KIND,
            names=tuple(renamed),
            before=f"tensors that were computed under names in use: {', '.join(dict.fromkeys(old))}",
            after="names of their own",
            reason="a name must mean one tensor; each node reads the one that was computed last before it",
        )
    ]
