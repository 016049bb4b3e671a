"""All points of a sweep carried out as one: every node once, a failure or a broken requirement kept to its points."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from bskernel_protocol import Failure

from bskernel.core.action import Action, ActionResult
from bskernel.core.catalogue import EntryOf, required_by
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.observers import Observer
from bskernel.core.step import ExecutorRef, FromStep, Step
from bskernel.core.step_report import EndedStep, skipped
from bskernel.execution.scheduler import JOBS, Schedule
from bskernel.execution.step_inputs import ResolvedInputs, resolve_inputs, resolve_partial_inputs
from bskernel.execution.step_loop import Execution
from bskernel.execution.worker_pool import WorkerPool
from bskernel.result.build_result import METRICS
from bskernel.sweeps.analysis.constraints import judged
from bskernel.sweeps.analysis.table import PointStatus
from bskernel.sweeps.execution.finished_point import FinishedPoint, PointStep
from bskernel.sweeps.execution.node_order import NodeOrder
from bskernel.sweeps.execution.point_metrics import MetricsReader
from bskernel.sweeps.planning.graph import SweepPlan


class SweepExecution(Execution):
    """The nodes of a plan under way. A node's task is called by its label: its number comes first in it."""

    def __init__(
        self,
        plan: SweepPlan,
        store: Store,
        pool: WorkerPool,
        observer: Observer,
        *,
        limits: Mapping[str, int] | None = None,
        fresh: bool = False,
        entry_of: EntryOf = lambda _: None,
        require: Sequence[str] = (),
        on_point: Callable[[FinishedPoint], None],
    ) -> None:
        limits = limits or {JOBS: 1}
        self._plan = plan
        self._order = NodeOrder(plan, entry_of, judging=bool(require))
        self._nodes = self._order.steps
        self._require = require
        self._judged = [0 for _ in plan.points]  # of each point how many of its judges are over
        self._on_point = on_point
        self._status: list[PointStatus] = ["ok" for _ in plan.points]
        self._reasons: list[str | None] = [None for _ in plan.points]
        self._open = [len(point.nodes) for point in plan.points]  # of each point how many nodes are not over
        self._wanted = [len(points) for points in self._order.points_of]  # of each node how many points still need it
        self._spared: set[int] = set()  # nodes that a failed point has to tell of itself
        self._ended: dict[int, EndedStep] = {}
        self._past: set[int] = set()  # nodes that are over, or never begin
        self._to_tell: deque[int] = deque()  # points that are over
        self._told: set[int] = set()
        self._by_key: dict[str, ActionResult] = {}
        self._failures: dict[tuple[str, float | None, int | None], Failure] = {}
        self._lacking: dict[ExecutorRef, EnvironmentLacking] = {}
        self._metrics = MetricsReader(store)
        schedule = Schedule(self._order.tasks(limits), limits, isolate=True)
        super().__init__(self._nodes, schedule, store, pool, observer, fresh=fresh)

    def run(self) -> bool:
        """Carry out all that can be, and tell of each point when it is over; False when it was interrupted."""
        self._run()
        while self._catch_up():
            pass
        return self._interrupted_by is None

    @property
    def ended(self) -> Mapping[int, EndedStep]:
        """What became of each node that began."""
        return self._ended

    def interrupted(self) -> tuple[FinishedPoint, ...]:
        """The points that are not over because all was interrupted."""
        left = [at for at in range(len(self._plan.points)) if at not in self._told]
        return tuple(msgspec.structs.replace(self._point(at), status="interrupted", reason=None) for at in left)

    # What carrying out asks for

    def _task(self, step: Step) -> str:
        return step.label

    def _salt(self, step: Step) -> str:
        return self._plan.nodes[step.index].salt

    def _result(self, node: int) -> ActionResult | None:
        return self._made.get(self._nodes[node].label)

    def _inputs(self, step: Step) -> ResolvedInputs | None:
        before = self._plan.nodes[step.index].before
        made = {name: result for name, node in before.items() if (result := self._result(node)) is not None}
        entry = self._order.entries[step.index]
        takes = {source.step for source in step.inputs.values() if isinstance(source, FromStep)}
        if entry is None or takes | set(step.after) <= made.keys():
            return ResolvedInputs(inputs=resolve_inputs(step, made, self._store))
        known = [(node, self._result(node)) for node in self._order.before[step.index]]
        earlier = {self._nodes[node].name: result for node, result in known if result is not None}
        return resolve_partial_inputs(step, earlier, self._store, required_by(entry))

    def _expect(self, step: Step) -> None:
        nodes = self._plan.points[self._order.points_of[step.index][0]].nodes
        later = [self._nodes[node].executor for node in nodes[nodes.index(step.index) :]]
        for executor in dict.fromkeys(later):
            if executor not in self._lacking:
                try:
                    self._pool.expect((executor,))
                except EnvironmentLacking as error:
                    self._lacking[executor] = error
        # That another one lacks something is told by the steps that need it: other points may do without.
        if step.executor in self._lacking:
            raise self._lacking[step.executor]

    @property
    def _shares_runs(self) -> bool:
        return True

    def _known(self, step: Step, action: Action) -> ActionResult | Failure | None:
        key = action.key.sha256
        failure = self._failures.get((key, step.timeout_s, step.memory_mib))
        return failure or self._by_key.get(key) or super()._known(step, action)

    def _log_of(self, known: ActionResult) -> bytes:  # noqa: ARG002 - it is read when a point is written
        return b""

    # What becomes of nodes, and so of points

    def _over(self, step: Step, ended: EndedStep) -> None:
        node, report = step.index, ended.report
        result = self._made.get(step.label)
        if result is not None and report.key is not None:
            self._by_key[report.key] = result
            ended = msgspec.structs.replace(ended, log=b"")
        elif report.failure is not None and report.key is not None:
            self._failures[report.key, step.timeout_s, step.memory_mib] = report.failure
        self._ended[node] = ended
        self._reports[step.label] = report
        never = self._schedule.ended(step.label, well=report.failure is None)
        self._observer.ended(step, ended)
        if self._interrupted_by is None:
            self._settle(node, never, ended)

    def _cannot_run(self, step: Step) -> None:
        self._are_over((step.index, *self._numbers(self._schedule.ended(step.label, well=False))))

    def _settle(self, node: int, never: tuple[str, ...], ended: EndedStep) -> None:
        failure = ended.report.failure
        for at in self._order.points_of[node]:
            if self._status[at] != "ok":
                continue
            if failure is not None:
                self._give_up(at, "failed", f"step {ended.report.name}: {failure.category}: {failure.message}")
            elif self._require and any(output.name == METRICS for output in ended.report.outputs):
                self._judge(at)
        self._are_over((node, *self._numbers(never)))

    def _judge(self, at: int) -> None:
        verdict = judged(self._require, self._point(at).quantities)
        self._reasons[at] = verdict.reason
        if verdict.status == "broken":
            self._give_up(at, "stopped", verdict.reason)

    def _give_up(self, at: int, status: PointStatus, reason: str | None) -> None:
        """Of the point's nodes, those that no other needs are not begun any more."""
        self._status[at], self._reasons[at] = status, reason
        nodes = self._plan.points[at].nodes
        if status == "failed":
            self._spared.update(node for node in nodes if node in self._order.before)
        for node in nodes:
            self._wanted[node] -= 1
            if not self._wanted[node] and node not in self._spared:
                self._are_over(self._numbers(self._schedule.withdraw(self._nodes[node].label)))

    def _numbers(self, tasks: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._steps[task].index for task in tasks)

    def _are_over(self, nodes: tuple[int, ...]) -> None:
        self._past.update(nodes)
        for node in nodes:
            for at in self._order.points_of[node]:
                self._open[at] -= 1
                if self._status[at] != "stopped":
                    self._admit(at)
                if not self._open[at]:
                    self._to_tell.append(at)

    def _admit(self, at: int) -> None:
        """Let begin what waited for the point to be judged."""
        nodes, judges = self._plan.points[at].nodes, self._order.judges[at]
        while self._judged[at] < len(judges) and nodes[judges[self._judged[at]]] in self._past:
            begin = judges[self._judged[at]] + 1
            self._judged[at] += 1
            end = judges[self._judged[at]] + 1 if self._judged[at] < len(judges) else len(nodes)
            for node in nodes[begin:end]:
                if self._status[at] == "ok" or node in self._spared:
                    self._schedule.admit(self._nodes[node].label)

    def _catch_up(self) -> bool:
        # To write a point takes as long as many a step: meanwhile steps run.
        if not self._to_tell:
            return False
        self._tell(self._to_tell[0])
        self._to_tell.popleft()
        return True

    def _tell(self, at: int) -> None:
        if self._require and self._status[at] == "ok":
            # Also where no step collects metrics: what was not judged is not kept silent.
            self._reasons[at] = judged(self._require, self._point(at).quantities).reason
        self._on_point(self._point(at))
        self._told.add(at)

    def _point(self, at: int) -> FinishedPoint:
        point = self._plan.points[at]
        steps = []
        for place, node in enumerate(point.nodes):
            step = msgspec.structs.replace(self._nodes[node], index=place)
            ended = self._ended.get(node) or EndedStep(report=skipped(step), action=None, inputs={}, log=b"")
            result = self._result(node)
            steps.append(PointStep(step=step, ended=ended, log=result.log if result is not None else None))
        numbers = self._metrics.of(tuple(item.ended.report for item in steps))
        return FinishedPoint(
            point=point,
            status=self._status[at],
            steps=tuple(steps),
            reason=self._reasons[at],
            metrics=numbers.metrics,
            quantities=numbers.quantities,
        )

    def _at_no_step(self, by: str) -> None:  # noqa: ARG002 - points tell of themselves that they are not over
        return
