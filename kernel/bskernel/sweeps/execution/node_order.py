"""The order in which the nodes of a sweep's plan may run. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bskernel.core.catalogue import EntryOf, runs_after_failure
from bskernel.core.metrics_form import METRICS
from bskernel.execution.scheduler import Task, task_of
from bskernel.sweeps.planning.graph import SweepPlan


class NodeOrder:
    """Nodes as steps and as tasks: a node's number is its step's index, its step's label is its task's name."""

    def __init__(self, plan: SweepPlan, entry_of: EntryOf, *, judging: bool) -> None:
        """With `judging`, nodes behind a point's metrics wait until the point was judged."""
        self._plan = plan
        self.steps = tuple(msgspec.structs.replace(node.step, index=at) for at, node in enumerate(plan.nodes))
        self.entries = tuple(entry_of(step) for step in self.steps)
        self.points_of: list[list[int]] = [[] for _ in plan.nodes]
        for at, point in enumerate(plan.points):
            for node in point.nodes:
                self.points_of[node].append(at)
        # A node that runs also after a failure -> the nodes before it in each of its points, in order.
        self.before = {
            at: self._common_before(at)
            for at, entry in enumerate(self.entries)
            if runs_after_failure(entry) and self.points_of[at]
        }
        # By point: the positions of the nodes that collect its metrics.
        self.judges = [self._judges(point.nodes) if judging else [] for point in plan.points]

    def tasks(self, limits: Mapping[str, int]) -> list[Task]:
        """The tasks; closed are nodes that come after collected metrics in all of their points."""
        free = {
            node
            for point, places in zip(self._plan.points, self.judges, strict=True)
            for node in (point.nodes[: places[0] + 1] if places else point.nodes)
        }
        return [self._task(at, limits, closed=at not in free) for at in range(len(self.steps))]

    def _task(self, node: int, limits: Mapping[str, int], *, closed: bool) -> Task:
        before = self._plan.nodes[node].before
        task = task_of(self.steps[node], limits, after_failure=node in self.before)
        return msgspec.structs.replace(
            task,
            name=self.steps[node].label,
            after=frozenset(self.steps[before[name]].label for name in task.after),
            behind=frozenset(self.steps[other].label for other in self.before.get(node, ())),
            closed=closed,
        )

    def _common_before(self, node: int) -> tuple[int, ...]:
        first, *others = [self._plan.points[at].nodes for at in self.points_of[node]]
        common = set(first[: first.index(node)])
        for nodes in others:
            common &= set(nodes[: nodes.index(node)])
        return tuple(other for other in first if other in common)

    def _judges(self, nodes: tuple[int, ...]) -> list[int]:
        return [
            place
            for place, node in enumerate(nodes)
            if any(output.name == METRICS for output in self.steps[node].outputs)
        ]
