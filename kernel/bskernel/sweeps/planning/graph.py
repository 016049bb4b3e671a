"""A sweep before it runs: its points, and one plan for all of them in which equal steps are one."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel.core.step import Step


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One build of a sweep: what it sets, and of which nodes its plan consists, in the plan's order."""

    name: str  # the digest of its settings, shortened: the same whatever other points there are
    settings: dict[str, Any]  # dotted key -> value, as the configuration has it
    nodes: tuple[int, ...]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A step of one or more points that does the same to the same in all of them.

    `step` is as the first of them has it; `before` maps the names of steps that it refers to, in `inputs` and
    `after`, to nodes, which all come before it.
    """

    step: Step
    before: dict[str, int]
    salt: str = ""  # of the builds that it belongs to: it enters the key of its action


class SweepPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All points, and every distinct step once."""

    points: tuple[Point, ...]
    nodes: tuple[Node, ...]


def with_points(plan: SweepPlan, points: tuple[Point, ...]) -> SweepPlan:
    """The plan of some of its points alone."""
    nodes = sorted({node for point in points for node in point.nodes})
    place = {node: at for at, node in enumerate(nodes)}
    return SweepPlan(
        points=tuple(
            msgspec.structs.replace(point, nodes=tuple(place[node] for node in point.nodes)) for point in points
        ),
        nodes=tuple(
            msgspec.structs.replace(
                plan.nodes[node], before={name: place[other] for name, other in plan.nodes[node].before.items()}
            )
            for node in nodes
        ),
    )
