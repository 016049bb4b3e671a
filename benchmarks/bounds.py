"""What share of a figure, and of its goal, the bare mechanisms are that a build cannot do without.

A figure that misses its goal stands beside the mechanisms of its own group, which were measured in turns with it:
what they take together no change of bskernel's own code can save. Where it is more than the goal, the goal is out of
reach.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from measurement import Row
from mechanisms import (
    CHAINED,
    CLUSTER,
    CODEC,
    CONTAINER,
    IMPORTS,
    INDEPENDENT,
    LATE,
    OWN,
    SHARED,
    SINGLE,
    SLEEP,
    START,
)

# Rows by group and name -> how often they need which mechanism, one after another.
_SHARES: tuple[tuple[str, Mapping[str, float]], ...] = (
    (r"12 chained trivial steps, docker: bskernel, cold", {CONTAINER: 1, CHAINED: 12}),
    (r"one more step, ", {INDEPENDENT: 1}),
    (r"a chain of \d+ steps: run, cold", {CHAINED: 1}),
    # Kernel and executor each start a Python. Two steps, cleanup and metrics, are not FINN's.
    (r"estimates of .*, process: cold", {CODEC: 2, IMPORTS: 1, OWN: 1, CHAINED: 2}),
    (r"estimates of .*, docker: cold", {CONTAINER: 1, IMPORTS: 1, OWN: 1, CHAINED: 2}),
    (r"estimates of .*: warm, everything", {CODEC: 1, OWN: 1, CHAINED: 2}),
    (r"estimates of .*: warm, another .* and folding", {CODEC: 1, LATE: 1, CHAINED: 1}),
    (r"estimates of .*: (repeated, )?all cached", {START: 1}),
    (  # two steps at a time; metrics is a step of each point
        r"a sweep of 64 points .*: cold",
        {CODEC: 2, IMPORTS: 1, SHARED: 1, SINGLE: 0.5, INDEPENDENT: 64},
    ),
    (r"a sweep of 1000 points .*: one action", {INDEPENDENT: 1}),
    (r"40 independent steps of 1 s, on a cluster: two workers", {CLUSTER: 1, SLEEP: 20}),
)


def beside(rows: Sequence[Row]) -> list[Row]:
    """The rows; those that miss their goal with the share that the bare mechanisms of their group have in them."""
    return [_with_bound(row, [other for other in rows if other.group == row.group]) for row in rows]


def _with_bound(row: Row, group: Sequence[Row]) -> Row:
    name = f"{row.group}: {row.what}"
    needs = next((needs for pattern, needs in _SHARES if re.match(pattern, name)), None)
    measured_s, bare = _seconds(row), {other.what: _seconds(other) for other in group}
    if row.met is not False or needs is None or measured_s is None:
        return row
    least_s = 0.0
    for mechanism, times in needs.items():
        if (value := bare.get(mechanism)) is None:
            return row
        least_s += times * value
    text = "; ".join(f"{times:g} x {mechanism}" for mechanism, times in needs.items())
    share = f"{least_s / measured_s:.2f} of it, {least_s / _goal_s(row, measured_s):.2f} of the goal"
    return dataclasses.replace(row, bound=f"{share}: {text}")


def _seconds(row: Row) -> float | None:
    """None for a row that is no time."""
    return {"s": row.value, "ms": row.value / 1e3, "steps/s": 1 / row.value}.get(row.unit)


def _goal_s(row: Row, measured_s: float) -> float:
    """The seconds in which the row would meet its goal."""
    if row.goal is None:
        raise ValueError(f"{row.group}, {row.what}: no goal")
    of_goal = row.goal.bound / (row.value if row.goal.unit else row.ratio or 1)
    return measured_s / of_goal if row.goal.at_least else measured_s * of_goal
