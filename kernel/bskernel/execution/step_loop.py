"""The run loop of a build or a sweep: starts steps, recalls known results, and reports how each step ended."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Mapping
from typing import Protocol

import msgspec
from bskernel_protocol import Failure

from bskernel.core.action import Action, ActionResult, action_of
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.observers import DelayedObserver, Observer
from bskernel.core.run_reason import FRESH
from bskernel.core.runtime_failures import environment_failure, interrupted
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import EndedStep, Status, StepReport, skipped
from bskernel.execution.scheduler import Schedule
from bskernel.execution.split_step import ItemsRefused, ItemStep, SplitStep, split_step
from bskernel.execution.step_inputs import InputMissing, ResolvedInputs, read_log
from bskernel.execution.worker_pool import Notice, PoolEvent, StepEvent, WorkerPool

_GRACE_S = 0.5  # how long an interrupted loop waits for running steps to report how far they got


class StepSource(Protocol):
    """What a build or a sweep decides about its own steps; the loop asks it and reports back to it."""

    def salt(self, step: Step) -> str:
        """The salt that the step's build adds to the cache key."""

    def inputs(self, step: Step, made: Mapping[str, ActionResult]) -> ResolvedInputs | None:
        """The step's inputs, given the results of tasks so far.

        None when the step cannot run with what a failure has left. Raises InputMissing.
        """

    def expect(self, step: Step, pool: WorkerPool) -> None:
        """Tell the pool which executors this step and later ones need. Raises EnvironmentLacking."""

    def why(self, step: Step, action: Action) -> tuple[str, ...]:
        """Why a step runs whose result the store does not have."""

    def known(self, step: Step, action: Action) -> ActionResult | Failure | None:
        """What the source itself knows of the action's result, before the store is asked."""

    def cannot_run(self, step: Step) -> None:
        """The step was ready, but `inputs` returned None for it."""

    def ended(self, step: Step, ended: EndedStep, result: ActionResult | None, never: tuple[str, ...]) -> None:
        """The step has ended; `never` are the tasks that will not start because of it."""

    def needs_no_more(self, step: Step) -> bool:
        """True if no step that follows needs the executor of this one, which has ended."""

    def idle(self) -> bool:
        """Do one piece of work that no step waits for; False when there is none."""


class StepLoop:
    """Runs steps to their ends. One thread takes all decisions; the pool only runs steps."""

    def __init__(
        self,
        tasks: Mapping[str, Step],
        schedule: Schedule,
        source: StepSource,
        store: Store,
        pool: WorkerPool,
        observer: Observer,
        *,
        fresh: bool,
        join_equal: bool,
        read_logs: bool = True,
    ) -> None:
        """`tasks` maps the names that `schedule` uses to steps.

        With `fresh` the store is not asked for results. With `join_equal` a step whose action already runs waits for
        its result. Without `read_logs` the logs of recalled steps are left in the store.
        """
        self._steps = dict(tasks)
        self._task_of = {step.label: task for task, step in tasks.items()}
        self._schedule = schedule
        self._source = source
        self._store = store
        self._pool = pool
        self._observer = DelayedObserver(observer)  # what follows an ended step does not wait for its record
        self._fresh = fresh
        self._join_equal = join_equal
        self._read_logs = read_logs
        self._expected: set[ExecutorRef] = set()
        self._made: dict[str, ActionResult] = {}
        self._running: dict[str, EndedStep] = {}  # as far as they are known
        self._in_flight: dict[str, str] = {}  # the key of a running action -> its task
        self._splits: dict[str, SplitStep] = {}  # steps whose items run, by task
        self._split_of: dict[str, SplitStep] = {}  # an item's task -> its step
        self._made_items: dict[str, ActionResult] = {}  # by key
        self.reports: dict[str, StepReport] = {}  # by task
        self.interrupted_by: str | None = None

    def run(self) -> None:
        """Run every step that can run; after an interrupt `interrupted_by` names its signal."""
        try:
            while True:
                while (task := self._schedule.start()) is not None:
                    self._start(self._steps[task])
                    self._observer.pass_on()
                self._observer.pass_on()
                if not self._schedule.running:
                    break
                self._handle(self._next_event())
        except KeyboardInterrupt as error:
            self._interrupt(str(error) or "SIGINT")
            self._observer.pass_on()
        except BaseException:
            # A step that still runs must not be remembered: its folder is about to go.
            self._pool.interrupt()
            with contextlib.suppress(Exception):
                self._observer.pass_on()
            raise

    def _next_event(self) -> PoolEvent:
        """The pool's next event; until there is one, the source does what can wait."""
        while True:
            try:
                return self._pool.events.get_nowait()
            except queue.Empty:
                if not self._source.idle():
                    return self._pool.events.get()

    def _start(self, step: Step) -> None:
        """Recall a step's result, or have the pool run it."""
        ended = EndedStep(report=skipped(step), action=None, inputs={}, log=b"")
        began = time.monotonic()
        task = self._task_of[step.label]
        try:
            resolved = self._inputs(task, step)
            if resolved is None:
                self._source.cannot_run(step)
                return
            action = action_of(step, resolved.inputs, self._source.salt(step))
            other = self._in_flight.get(action.key.sha256)
            if other is not None and self._join_equal:
                self._schedule.hold(task, until=other)
                return
            self._observer.started(step)
            if not self._store.answers_at_once:
                self._observer.pass_on()
            report = msgspec.structs.replace(ended.report, partial=resolved.partial, key=action.key.sha256)
            ended = EndedStep(report=report, action=action, inputs=resolved.inputs, log=b"")
            known, log = self._source.known(step, action), None
            if isinstance(known, ActionResult) and step.each is not None:
                known = None  # its items are known, which says more
            if known is None and self._join_equal and task in self._split_of:
                known = self._made_items.get(action.key.sha256)
            items = split_step(step, resolved.inputs, self._store) if known is None else ()
            if known is None and not self._fresh and not self._are_known(items):
                known, log = self._recall(action, step)
            if isinstance(known, Failure):
                self._fail(step, ended, known, time.monotonic() - began)
                return
            if known is not None:
                if log is None:
                    log = read_log(known.log, self._store) if self._read_logs else b""
                ended = msgspec.structs.replace(ended, log=log)
                self._succeed(step, ended, known, "recalled", time.monotonic() - began)
                return
            why = FRESH if self._fresh else self._source.why(step, action)
            ended = msgspec.structs.replace(ended, report=msgspec.structs.replace(ended.report, why=why))
            if step.each is not None:
                self._split(task, step, ended, items, began)
                return
            self._expect(step)
        except ItemsRefused as error:
            self._fail(step, ended, error.failure, time.monotonic() - began)
        except InputMissing as error:
            self._observer.started(step)
            self._fail(step, ended, Failure(category="config", message=str(error)), time.monotonic() - began)
        except EnvironmentLacking as error:
            self._fail(step, ended, environment_failure(error), time.monotonic() - began)
        else:
            self._running[task] = ended
            self._in_flight.setdefault(action.key.sha256, task)
            self._pool.begin(step, action, resolved.inputs)
            self._observer.running(step)

    def _expect(self, step: Step) -> None:
        if step.executor not in self._expected:
            self._observer.pass_on()  # to make an environment can take minutes
            self._expected.add(step.executor)
        self._source.expect(step, self._pool)

    def _inputs(self, task: str, step: Step) -> ResolvedInputs | None:
        if task in self._split_of:
            return ResolvedInputs(inputs=self._split_of[task].items[task].inputs)
        return self._source.inputs(step, self._made)

    def _are_known(self, items: tuple[ItemStep, ...]) -> bool:
        """True when the items can be recalled one by one, which says more than recalling their step."""
        return bool(items) and all(
            self._store.peek(action_of(item.step, item.inputs, self._source.salt(item.step)), item.step.outputs)
            for item in items
        )

    def _split(self, task: str, step: Step, ended: EndedStep, items: tuple[ItemStep, ...], began: float) -> None:
        """Let the step's items start."""
        tasks = {f"{task}.{item.item.names[0]}": item for item in items}
        split = SplitStep(step=step, ended=ended, began=began, items=tasks, waiting=set(tasks))
        self._splits[task] = split
        for name, item in tasks.items():
            self._steps[name] = item.step
            self._task_of[item.step.label] = name
            self._split_of[name] = split
        self._in_flight.setdefault(str(ended.report.key), task)
        self._schedule.split(task, tuple(tasks))
        if not tasks:
            self._end_split(split, None)

    def _end_item(self, task: str, step: Step, ended: EndedStep, result: ActionResult | None) -> None:
        split = self._split_of[task]
        ended = split.end(task, step, ended, result)
        if result is not None and ended.report.key is not None:
            self._made_items[ended.report.key] = result
        split.waiting.difference_update(self._schedule.ended(task, well=ended.report.failure is None))
        self._observer.ended(step, ended)
        if not split.waiting:
            self._end_split(split, split.failure)

    def _end_split(self, split: SplitStep, failure: Failure | None) -> None:
        """End a step whose items have ended."""
        task, ended = self._task_of[split.step.label], split.with_items
        del self._splits[task]
        self._land(task, ended)
        result = failure or split.join(self._store)
        seconds = time.monotonic() - split.began
        if isinstance(result, Failure):
            self._fail(split.step, ended, result, seconds)
            return
        if ended.action is not None:
            # Results of a cluster may be in its store alone: then only the items are remembered.
            with contextlib.suppress(ValueError):
                self._store.remember(ended.action, result)
        ran = any(item.status == "ran" for item in ended.report.items)
        self._succeed(split.step, ended, result, "ran" if ran else "recalled", seconds)

    def _recall(self, action: Action, step: Step) -> tuple[ActionResult | None, bytes | None]:
        """The action's result with its log; none if the log turns out to be damaged, since then the cache lost it."""
        known = self._store.recall(action, step.outputs)
        if known is None or known.log is None or not self._read_logs:
            return known, b""
        log = self._store.get(known.log)
        return (known if log is not None else None), log

    def _handle(self, event: PoolEvent) -> None:
        """Process one event of the pool."""
        if isinstance(event, Notice):
            self._observer.note(event.text)
            return
        if isinstance(event, StepEvent):
            self._observer.event(event.step, event.event)
            return
        if event.error is not None:
            raise event.error
        step, outcome = event.step, event.outcome
        if event.doubtful and self._schedule.repeat_alone(self._task_of[step.label]):
            self._forget(step)
            self._observer.note(f"step {step.name} failed while other steps were running; retrying it alone")
            return
        ended = self._forget(step)
        report = msgspec.structs.replace(ended.report, peak_mib=outcome.peak_mib)
        ended = msgspec.structs.replace(ended, log=outcome.log, report=report)
        if outcome.result is not None:
            status: Status = "recalled" if event.recalled else "ran"
            self._succeed(step, ended, outcome.result, status, event.seconds)
        elif outcome.failure is not None:
            self._fail(step, ended, outcome.failure, event.seconds)
        else:
            self._fail(step, ended, interrupted(step, self.interrupted_by or "SIGINT"), event.seconds)

    def _forget(self, step: Step) -> EndedStep:
        task = self._task_of[step.label]
        ended = self._running.pop(task)
        self._land(task, ended)
        return ended

    def _land(self, task: str, ended: EndedStep) -> None:
        if ended.report.key is not None and self._in_flight.get(ended.report.key) == task:
            del self._in_flight[ended.report.key]

    def _succeed(self, step: Step, ended: EndedStep, result: ActionResult, status: Status, seconds: float) -> None:
        if step.item_of is None:
            self._made[self._task_of[step.label]] = result
        report = msgspec.structs.replace(
            ended.report,
            status=status,
            outputs=result.outputs,
            record=result.record,
            seconds=round(seconds, 3),
            why=ended.report.why if status == "ran" else (),  # another build may have made it meanwhile
        )
        self._end(step, msgspec.structs.replace(ended, report=report), result)

    def _fail(self, step: Step, ended: EndedStep, failure: Failure, seconds: float) -> None:
        status: Status = "interrupted" if failure.category == "interrupted" else "failed"
        report = msgspec.structs.replace(ended.report, status=status, failure=failure, seconds=round(seconds, 3))
        self._end(step, msgspec.structs.replace(ended, report=report), None)

    def _end(self, step: Step, ended: EndedStep, result: ActionResult | None) -> None:
        task = self._task_of[step.label]
        if task in self._split_of:
            self._end_item(task, step, ended, result)
            return
        self.reports[task] = ended.report
        never = self._schedule.ended(task, well=ended.report.failure is None)
        self._observer.ended(step, ended)
        self._source.ended(step, ended, result, never)
        if self._source.needs_no_more(step):
            self._pool.dismiss(step.executor)

    def _interrupt(self, by: str) -> None:
        """Start nothing more; what runs has ended as far as the build is concerned."""
        self.interrupted_by = by
        self._pool.interrupt()
        deadline = time.monotonic() + _GRACE_S
        while self._running:
            try:
                self._handle(self._pool.events.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        for step in [self._steps[task] for task in self._running]:
            self._fail(step, self._forget(step), interrupted(step, by), 0.0)
        for split in list(self._splits.values()):
            self._end_split(split, interrupted(split.step, by))
