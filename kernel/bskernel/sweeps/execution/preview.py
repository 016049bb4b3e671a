"""Shows which nodes of a sweep are cached, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from bskernel_protocol import Digest

from bskernel.core.action import Action, ActionResult, action_of
from bskernel.core.interfaces import Store
from bskernel.core.step import FromStep, Step
from bskernel.execution.step_inputs import resolve_inputs
from bskernel.sweeps.planning.graph import Node, SweepPlan


class PreviewedNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node: how many points need it, and whether it is cached."""

    node: Node
    points: int
    cached: bool


def preview_sweep(plan: SweepPlan, store: Store) -> tuple[PreviewedNode, ...]:
    """For every node, whether it will be recalled. Nodes behind one that must run have no known key: they will run.

    Files of the user are captured. Raises InputMissing.
    """
    points = Counter(node for point in plan.points for node in point.nodes)
    made: dict[int, ActionResult] = {}
    foreseen = []
    for at, node in enumerate(plan.nodes):
        action = _action(node, made, store)
        known = store.peek(action, node.step.outputs) if action is not None else None
        if known is not None:
            made[at] = known
        foreseen.append(PreviewedNode(node=node, points=points[at], cached=known is not None))
    return tuple(foreseen)


def recall_nodes(plan: SweepPlan, recall: Callable[[Action], ActionResult | None], store: Store) -> int:
    """Recall every action once; returns how many nodes have unknown actions because earlier results are missing."""
    made: dict[int, ActionResult] = {}
    asked: dict[Digest, ActionResult | None] = {}
    unknown = 0
    for at, node in enumerate(plan.nodes):
        action = _action(node, made, store)
        if action is None:
            unknown += 1
            continue
        if action.key not in asked:
            asked[action.key] = recall(action)
        known = asked[action.key]
        if known is not None:
            made[at] = known
    return unknown


def _action(node: Node, made: dict[int, ActionResult], store: Store) -> Action | None:
    """The action of the node; None while its inputs are unknown."""
    sources = {source.step for source in node.step.inputs.values() if isinstance(source, FromStep)}
    if any(node.before[name] not in made for name in sources):
        return None
    before = {name: made[node.before[name]] for name in sources}
    return action_of(node.step, resolve_inputs(node.step, before, store), node.salt)


def drawn(foreseen: tuple[PreviewedNode, ...]) -> list[tuple[Step, bool]]:
    """The nodes as steps of one plan, each with whether it is cached; equal names are numbered."""
    alike = Counter(item.node.step.name for item in foreseen)
    seen: Counter[str] = Counter()
    names: list[str] = []
    steps = []
    for at, item in enumerate(foreseen):
        step = item.node.step
        seen[step.name] += 1
        names.append(f"{step.name} ({seen[step.name]} of {alike[step.name]})" if alike[step.name] > 1 else step.name)
        inputs = {
            name: msgspec.structs.replace(source, step=names[item.node.before[source.step]])
            if isinstance(source, FromStep)
            else source
            for name, source in step.inputs.items()
        }
        steps.append((msgspec.structs.replace(step, index=at, name=names[at], inputs=inputs), item.cached))
    return steps


def as_data(plan: SweepPlan, foreseen: tuple[PreviewedNode, ...]) -> dict[str, Any]:
    """Points, nodes and their counts, for JSON."""
    return {
        "points": plan.points,
        "steps": sum(len(point.nodes) for point in plan.points),
        "distinct": len(foreseen),
        "cached": sum(item.cached for item in foreseen),
        "nodes": [
            {
                "step": item.node.step.name,
                "executor": str(item.node.step.executor),
                "entry": item.node.step.entry,
                "parameters": item.node.step.parameters,
                "before": item.node.before,
                "points": item.points,
                "cached": item.cached,
            }
            for item in foreseen
        ],
    }
