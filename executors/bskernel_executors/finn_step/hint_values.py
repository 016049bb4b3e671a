"""What hints may name of the model that a step takes: `values` of rules.toml."""

from __future__ import annotations

import importlib
from typing import Any

_SHOWN = 12


def hint_values(model: Any) -> dict[str, str]:
    """`left_over`: the nodes that are no hardware layers; `boards`: those that FINN knows."""
    nodes = [node for node in model.graph.node if "fpgadataflow" not in node.domain]
    names = ", ".join(f"{node.op_type} {node.name or node.output[0]}" for node in nodes[:_SHOWN]) or "no node"
    more = f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
    boards = importlib.import_module("finn.util.basic").part_map
    return {"left_over": names + more, "boards": ", ".join(sorted(boards))}
