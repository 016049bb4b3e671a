"""Runs the nodes of a sweep: each once, with a failure or a broken requirement kept to its points."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
from bskernel_protocol import Failure

from bskernel.core.action import Action, ActionResult
from bskernel.core.catalogue import EntryOf, required_by
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store, Wanted
from bskernel.core.metrics_form import METRICS
from bskernel.core.observers import Observer
from bskernel.core.run_reason import NOT_CACHED
from bskernel.core.step import ExecutorRef, FromStep, Step
from bskernel.core.step_report import EndedStep, skipped
from bskernel.core.written_outputs import written_outputs
from bskernel.execution.scheduler import JOBS, Schedule
from bskernel.execution.step_inputs import ResolvedInputs, resolve_inputs, resolve_partial_inputs
from bskernel.execution.step_loop import StepLoop
from bskernel.execution.worker_pool import WorkerPool
from bskernel.sweeps.analysis.constraints import judged
from bskernel.sweeps.analysis.table import PointStatus
from bskernel.sweeps.execution.finished_point import FinishedPoint, PointStep
from bskernel.sweeps.execution.node_order import NodeOrder
from bskernel.sweeps.execution.point_metrics import MetricsReader, PointNumbers
from bskernel.sweeps.planning.graph import SweepPlan


class NodeRun:
    """The nodes of a sweep's plan as the run loop sees them. A node's task has the label of its step as name."""

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
        on_point: Callable[[FinishedPoint], Iterator[None]],
    ) -> None:
        """`on_point` gets each point that has ended. What it does with it in parts, steps come in between."""
        limits = limits or {JOBS: 1}
        self._plan = plan
        self._order = NodeOrder(plan, entry_of, judging=bool(require))
        self._nodes = self._order.steps
        self._number_of = {step.label: step.index for step in self._nodes}
        self._store = store
        self._require = require
        self._on_point = on_point
        # By point
        self._status: list[PointStatus] = ["ok" for _ in plan.points]
        self._reasons: list[str | None] = [None for _ in plan.points]
        self._judged = [0 for _ in plan.points]  # how many of its judges have ended
        self._open = [len(point.nodes) for point in plan.points]  # how many of its nodes have not ended
        self._to_report: deque[int] = deque()  # points that have ended
        self._reporting: Iterator[None] | None = None  # the first of them, as far as it is reported
        self._reported: set[int] = set()
        # By node
        self._needed_by = [len(points) for points in self._order.points_of]  # how many points still need it
        self._spared: set[int] = set()  # nodes that report on a failed point, so they run all the same
        self._ended: dict[int, EndedStep] = {}
        self._results: dict[int, ActionResult] = {}
        self._past: set[int] = set()  # nodes that have ended, or never start
        self._by_key: dict[str, ActionResult] = {}
        self._failures: dict[tuple[str, float | None, int | None], Failure] = {}
        self._unavailable: dict[ExecutorRef, EnvironmentLacking] = {}
        self._metrics = MetricsReader(store)
        look_first = not (fresh or store.answers_at_once)
        self._schedule = Schedule(self._order.tasks(limits), limits, isolate=True, look_first=look_first)
        tasks = {step.label: step for step in self._nodes}
        self._loop = StepLoop(
            tasks, self._schedule, self, store, pool, observer, fresh=fresh, join_equal=True, read_logs=False
        )

    def run(self) -> bool:
        """Run all nodes that can run and report each point when it ends; False when interrupted."""
        self._loop.run()
        while self.idle():
            pass
        return self._loop.interrupted_by is None

    @property
    def ended_steps(self) -> Mapping[int, EndedStep]:
        """How each node that started has ended."""
        return self._ended

    def interrupted(self) -> tuple[FinishedPoint, ...]:
        """The points that an interrupt has kept from ending."""
        left = [at for at in range(len(self._plan.points)) if at not in self._reported]
        return tuple(msgspec.structs.replace(self._point(at), status="interrupted", reason=None) for at in left)

    # What the run loop asks

    def salt(self, step: Step) -> str:
        """The salt of the node's points."""
        return self._plan.nodes[step.index].salt

    def inputs(self, step: Step, made: Mapping[str, ActionResult]) -> ResolvedInputs | None:  # noqa: ARG002 - by node
        """The node's inputs; after a failure among its sources, those that are left. Raises InputMissing."""
        before = self._plan.nodes[step.index].before
        sources = {name: self._results[node] for name, node in before.items() if node in self._results}
        entry = self._order.entries[step.index]
        takes = {source.step for source in step.inputs.values() if isinstance(source, FromStep)}
        if entry is None or takes | set(step.after) <= sources.keys():
            return ResolvedInputs(inputs=resolve_inputs(step, sources, self._store))
        earlier = {
            self._nodes[node].name: self._results[node]
            for node in self._order.before[step.index]
            if node in self._results
        }
        return resolve_partial_inputs(step, earlier, self._store, required_by(entry))

    def expect(self, step: Step, pool: WorkerPool) -> None:
        """The executors of the node and of those behind it in its first point. Raises EnvironmentLacking."""
        nodes = self._plan.points[self._order.points_of[step.index][0]].nodes
        later = [self._nodes[node].executor for node in nodes[nodes.index(step.index) :]]
        for executor in dict.fromkeys(later):
            if executor not in self._unavailable:
                try:
                    pool.expect((executor,))
                except EnvironmentLacking as error:
                    self._unavailable[executor] = error
        # Another executor that is unavailable fails the steps that need it: other points may do without.
        if step.executor in self._unavailable:
            raise self._unavailable[step.executor]

    def why(self, step: Step, action: Action) -> tuple[str, ...]:  # noqa: ARG002 - points share their steps
        """A sweep knows no more: which point's last run to compare with is open."""
        return NOT_CACHED

    def known(self, step: Step, action: Action) -> ActionResult | Failure | None:
        """How an equal action of this sweep ended; a failure counts only under the same limits."""
        key = action.key.sha256
        return self._failures.get((key, step.timeout_s, step.memory_mib)) or self._by_key.get(key)

    def wanted(self, step: Step) -> Wanted:
        """What the directories of its points get; of an item what the step's output lists."""
        return Wanted(outputs=self._written[step.index], listings=step.item_of is not None)

    @functools.cached_property
    def _written(self) -> tuple[frozenset[str], ...]:
        written: list[frozenset[str]] = [frozenset() for _ in self._nodes]
        for point in self._plan.points:
            outputs = written_outputs([self._nodes[node] for node in point.nodes])
            for node, names in zip(point.nodes, outputs, strict=True):
                written[node] |= names
        return tuple(written)

    def needs_no_more(self, step: Step) -> bool:  # noqa: ARG002 - of none
        """False: what a search builds next may need every executor."""
        return False

    def cannot_run(self, step: Step) -> None:
        """The node, and the nodes that wait for it, never start."""
        self._pass((step.index, *self._numbers(self._schedule.ended(step.label, well=False))))

    def ended(self, step: Step, ended: EndedStep, result: ActionResult | None, never: tuple[str, ...]) -> None:
        """Note how the node ended, and what follows for its points."""
        node, report = step.index, ended.report
        if result is not None:
            self._results[node] = result
            if report.key is not None:
                self._by_key[report.key] = result
                ended = msgspec.structs.replace(ended, log=b"")  # the store has it
        elif report.failure is not None and report.key is not None:
            self._failures[report.key, step.timeout_s, step.memory_mib] = report.failure
        self._ended[node] = ended
        if self._loop.interrupted_by is None:
            self._settle(node, never, ended)

    def idle(self) -> bool:
        """Do a part of the report of a point that has ended; with all parts it takes as long as a step.

        After an interrupt the report begins again.
        """
        if not self._to_report:
            return False
        reporting, self._reporting = self._reporting or self._report(self._to_report[0]), None
        try:
            next(reporting)
            self._reporting = reporting
        except StopIteration:
            self._to_report.popleft()
        return True

    # What follows for nodes and points

    def _settle(self, node: int, never: tuple[str, ...], ended: EndedStep) -> None:
        failure = ended.report.failure
        for at in self._order.points_of[node]:
            if self._status[at] != "ok":
                continue
            if failure is not None:
                self._give_up(at, "failed", f"step {ended.report.name}: {failure.category}: {failure.message}")
            elif self._require and any(output.name == METRICS for output in ended.report.outputs):
                self._judge(at)
        self._pass((node, *self._numbers(never)))

    def _judge(self, at: int) -> None:
        verdict = judged(self._require, self._numbers_of(at).quantities)
        self._reasons[at] = verdict.reason
        if verdict.status == "broken":
            self._give_up(at, "stopped", verdict.reason)

    def _give_up(self, at: int, status: PointStatus, reason: str | None) -> None:
        """Withdraw the point's nodes that no other point needs."""
        self._status[at], self._reasons[at] = status, reason
        nodes = self._plan.points[at].nodes
        if status == "failed":
            self._spared.update(node for node in nodes if node in self._order.before)
        for node in nodes:
            self._needed_by[node] -= 1
            if not self._needed_by[node] and node not in self._spared:
                self._pass(self._numbers(self._schedule.withdraw(self._nodes[node].label)))

    def _numbers(self, tasks: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._number_of[task] for task in tasks)

    def _pass(self, nodes: tuple[int, ...]) -> None:
        self._past.update(nodes)
        for node in nodes:
            for at in self._order.points_of[node]:
                self._open[at] -= 1
                if self._status[at] != "stopped":
                    self._admit(at)
                if not self._open[at]:
                    self._to_report.append(at)

    def _admit(self, at: int) -> None:
        """Admit the nodes that waited for the point to be judged."""
        nodes, judges = self._plan.points[at].nodes, self._order.judges[at]
        while self._judged[at] < len(judges) and nodes[judges[self._judged[at]]] in self._past:
            begin = judges[self._judged[at]] + 1
            self._judged[at] += 1
            end = judges[self._judged[at]] + 1 if self._judged[at] < len(judges) else len(nodes)
            for node in nodes[begin:end]:
                if self._status[at] == "ok" or node in self._spared:
                    self._schedule.admit(self._nodes[node].label)

    def _report(self, at: int) -> Iterator[None]:
        if self._require and self._status[at] == "ok":
            # Also where no step collects metrics: a point that was not judged says so.
            self._reasons[at] = judged(self._require, self._numbers_of(at).quantities).reason
        yield from self._on_point(self._point(at))
        self._reported.add(at)

    def _numbers_of(self, at: int) -> PointNumbers:
        nodes = self._plan.points[at].nodes
        return self._metrics.of(tuple(self._ended[node].report for node in nodes if node in self._ended))

    def _point(self, at: int) -> FinishedPoint:
        point = self._plan.points[at]
        steps = []
        for place, node in enumerate(point.nodes):
            step = msgspec.structs.replace(self._nodes[node], index=place)
            ended = self._ended.get(node) or EndedStep(report=skipped(step), action=None, inputs={}, log=b"")
            result = self._results.get(node)
            steps.append(PointStep(step=step, ended=ended, log=result.log if result is not None else None))
        numbers = self._numbers_of(at)
        return FinishedPoint(
            point=point,
            status=self._status[at],
            steps=tuple(steps),
            reason=self._reasons[at],
            metrics=numbers.metrics,
            quantities=numbers.quantities,
            lost_metrics=numbers.lost,
        )
