"""By how much a point breaks a condition: what an optimizer needs beyond whether it does. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bskernel.expr.ast import Condition, Logical, Not, Quantity, Unjudgeable, calculate
from bskernel.sweeps.analysis.constraints import Absent, Requirement, reading
from bskernel.sweeps.analysis.table import Row

UNKNOWN = 2.0  # of a condition that cannot be judged: as much as a comparison may at most be broken by
_LEAST = 1e-9  # of a condition that just does not hold
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def violation(requirement: Requirement, row: Row) -> float:
    """Above 0 where the point breaks the condition, and the more so the larger; else 0 or below.

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
    """By how much it is not so that the node is true (`holds`), or that it is false."""
    if isinstance(node, Not):
        return _violation(node.operand, number, holds=not holds)
    if isinstance(node, Logical):
        parts = [_violation(side, number, holds=holds) for side in (node.left, node.right)]
        return max(parts) if (node.operator == "and") == holds else min(parts)
    sign = node.operator if holds else _OPPOSITE[node.operator]
    left, right = calculate(node.left, number), calculate(node.right, number)
    # Halves, since the difference of finite numbers may not be one.
    scale = max(abs(left), abs(right)) / 2
    apart = (left / 2 - right / 2) / scale if scale else 0.0
    if sign == "==":
        return abs(apart)
    if sign == "!=":
        return 0.0 if left != right else _LEAST
    above = apart if sign in {"<", "<="} else -apart
    # Of equal sides the strict comparisons are broken.
    return max(above, _LEAST) if left == right and sign in {"<", ">"} else above
