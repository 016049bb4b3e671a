"""How far a point violates a condition, as a number for an optimizer. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bskernel.expr.ast import Condition, Logical, Not, Quantity, Unjudgeable, calculate
from bskernel.sweeps.analysis.constraints import Absent, Requirement, reading
from bskernel.sweeps.analysis.table import Row

UNKNOWN = 2.0  # for a condition without its numbers: the largest violation of a comparison
_LEAST = 1e-9  # for a condition that is only just violated
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def violation(requirement: Requirement, row: Row) -> float:
    """Above 0 if the point violates the condition, growing with the violation; else 0 or below.

    Of a comparison it is the distance of its sides relative to the larger of them, so that LUT and volt weigh alike;
    of `and` it is the worst part, of `or` the best.
    """

    def number(quantity: Quantity) -> float:
        return reading(quantity, requirement, row).value

    try:
        return _violation(requirement.condition, number, holds=True)
    except (Absent, Unjudgeable):
        return UNKNOWN


def _violation(node: Condition, number: Callable[[Quantity], float], *, holds: bool) -> float:
    """How far the node is from being true (`holds`), or from being false."""
    if isinstance(node, Not):
        return _violation(node.operand, number, holds=not holds)
    if isinstance(node, Logical):
        parts = [_violation(side, number, holds=holds) for side in (node.left, node.right)]
        return max(parts) if (node.operator == "and") == holds else min(parts)
    sign = node.operator if holds else _OPPOSITE[node.operator]
    left, right = calculate(node.left, number), calculate(node.right, number)
    # Halved: the difference of two finite numbers may overflow.
    scale = max(abs(left), abs(right)) / 2
    apart = (left / 2 - right / 2) / scale if scale else 0.0
    if sign == "==":
        return abs(apart)
    if sign == "!=":
        return 0.0 if left != right else _LEAST
    above = apart if sign in {"<", "<="} else -apart
    # With equal sides the strict comparisons are violated.
    return max(above, _LEAST) if left == right and sign in {"<", ">"} else above
