"""The plan of a sweep: its points, and the nodes they share."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel.core.step import Step


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One build of a sweep: its settings, and its nodes in plan order."""

    name: str  # the shortened digest of its settings; does not depend on other points
    settings: dict[str, Any]  # dotted key -> value as the configuration holds it
    nodes: tuple[int, ...]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is equal in one or more points.

    `step` is as the first of them has it; `before` maps the names of steps that it refers to, in `inputs` and
    `after`, to nodes, which all come before it.
    """

    step: Step
    before: dict[str, int]
    salt: str = ""  # the salt of its points; part of its cache key


class SweepPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All points, and every distinct step once."""

    points: tuple[Point, ...]
    nodes: tuple[Node, ...]


def with_points(plan: SweepPlan, points: tuple[Point, ...]) -> SweepPlan:
    """The plan of some of the points."""
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
