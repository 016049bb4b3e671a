"""Exact halves: QONNX's Quant rounds them to even, FINN's thresholds, which are made from it, round them up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HALVES = "halves of the frame"  # key of the count among a program's tensors; no name that ONNX allows


def find_rounding_nodes(model: Any, activations: frozenset[str]) -> list[Any]:
    """Find the Quant nodes that round activations half to even."""
    from qonnx.util.basic import get_by_name

    found = []
    for node in model.graph.node:
        mode = get_by_name(node.attribute, "rounding_mode") if node.op_type == "Quant" else None
        if node.input[0] in activations and mode is not None and mode.s.decode().upper() == "ROUND":
            found.append(node)
    return found


def count_halves(context: dict[str, Any], nodes: Sequence[Any], frames: int) -> Any:
    """Count the values of each frame that lie exactly between two steps of a Quant node. Shape: (frames, 1)."""
    import numpy as np

    counts = np.zeros((frames, 1), dtype=np.int64)
    for node in nodes:
        values, scale, zero = (context[name] for name in node.input[:3])
        steps = (values / scale + zero).reshape(frames, -1)
        given = (context[node.output[0]] / scale + zero).reshape(frames, -1)
        # Clipped values differ by more than half a step: rounding decides nothing there.
        counts[:, 0] += (np.abs(steps - given) == 0.5).sum(axis=1)
    return counts
