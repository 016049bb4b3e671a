"""Find which part of a network is in hardware: classify its nodes and count what each part computes.

FINN's partition takes the hardware nodes as one chain. What does not depend on them can run before it on the host, and
what they do not depend on can run after it. A node that does both keeps FINN from making the accelerator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bskernel_executors.dataflow.macs import count_macs, count_weights, multiplies
from bskernel_executors.exchange.coverage import Coverage, CoveredNode, Part, measure_parts
from bskernel_executors.finn_step.mapping_reasons import explain_unmapped

_HARDWARE = "finn.custom_op.fpgadataflow"


def is_hardware(node: Any) -> bool:
    """Return whether the node is one of FINN's hardware layers."""
    return str(node.domain).startswith(_HARDWARE)


def _find_variables(model: Any, nodes: Iterable[Any]) -> set[str]:
    """Find the tensors that depend on the network's inputs. The nodes are sorted."""
    found = {value.name for value in model.graph.input if model.get_initializer(value.name) is None}
    for node in nodes:
        if found & set(node.input):
            found |= set(node.output)
    return found


def classify(nodes: list[Any]) -> list[Part]:
    """Classify sorted nodes by what they depend on and what depends on them."""
    after: set[str] = set()  # tensors that depend on a hardware node
    before: set[str] = set()  # tensors that a hardware node depends on
    for node in nodes:
        if is_hardware(node) or after & set(node.input):
            after |= set(node.output)
    for node in reversed(nodes):
        if is_hardware(node) or before & set(node.output):
            before |= set(node.input)

    def part_of(node: Any) -> Part:
        if is_hardware(node):
            return "hardware"
        if not after & set(node.input):
            return "head"
        return "unmapped" if before & set(node.output) else "tail"

    return [part_of(node) for node in nodes]


def _cover_node(model: Any, node: Any, part: Part, variables: set[str]) -> CoveredNode:
    counts: dict[str, int | None] = {}
    if multiplies(node):
        is_dynamic = node.input[1] in variables
        counts = {"macs": count_macs(model, node), "weights": None if is_dynamic else count_weights(model, node)}
    reason = None if part == "hardware" else explain_unmapped(model, node)
    return CoveredNode(
        name=node.name or node.output[0],
        kind=node.op_type,
        part=part,
        multiplies=multiplies(node),
        reason=reason.reason if reason is not None else None,
        remedy=reason.remedy if reason is not None else None,
        **counts,
    )


def _cover(model: Any, parts: Mapping[str, Part] | None = None) -> list[CoveredNode]:
    """Cover the nodes of a model; `parts` overrides the part of nodes by their first output."""
    from qonnx.transformation.general import SortGraph

    model = model.transform(SortGraph())
    variables = _find_variables(model, model.graph.node)
    nodes = [node for node in model.graph.node if variables & set(node.input)]
    return [_cover_node(model, node, part, variables) for node, part in zip(nodes, classify(nodes), strict=True)]
