"""The run loop of a build or a sweep: starts steps, recalls known results, and reports how each step ended."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Mapping
from typing import Protocol

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.core.action import Action, ActionResult, action_of
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import EVERYTHING, Store, Wanted
from bskernel.core.observers import DelayedObserver, Observer
from bskernel.core.run_reason import FRESH
from bskernel.core.runtime_failures import environment_failure, interrupted
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import EndedStep, Status, StepReport, skipped
from bskernel.execution.lookup import AT_ONCE, Found, LookedUp, Lookup, begin_lookup
from bskernel.execution.scheduler import Schedule
from bskernel.execution.split_step import ItemsRefused, ItemStep, SplitStep
from bskernel.execution.step_inputs import InputMissing, ResolvedInputs, read_log
from bskernel.execution.worker_pool import Notice, PoolEvent, StepEvent, WorkerPool

# Python runs the handler of a signal once the thread wakes, and one that comes just before it waits does not wake it.
_NOTICED_S = 0.5
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

    def wanted(self, step: Step) -> Wanted:
        """What is read of the step's result whatever happens, if the store has it."""

    def cannot_run(self, step: Step) -> None:
        """The step was ready, but `inputs` returned None for it, or nothing needs it any more."""

    def ended(self, step: Step, ended: EndedStep, result: ActionResult | None, never: tuple[str, ...]) -> None:
        """The step has ended; `never` are the tasks that will not start because of it."""

    def needs_no_more(self, step: Step) -> bool:
        """True if no step that follows needs the executor of this one, which has ended."""

    def idle(self) -> bool:
        """Do one piece of work that no step waits for; False when there is none."""


class PreparedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step whose action is known; `began` in seconds of the monotonic clock."""

    step: Step
    action: Action
    inputs: dict[str, Artifact]
    ended: EndedStep  # as far as it is known
    began: float


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
        self._looking: dict[str, PreparedStep] = {}  # steps of which another machine is asked, by task
        self._missed: dict[str, PreparedStep] = {}  # looked-up steps without a result that wait to start, by task
        self._held: dict[str, PreparedStep] = {}  # steps that were missed, too, and wait for an equal one, by task
        self._in_flight: dict[str, str] = {}  # the key of an action that runs or is looked up -> its task
        self._splits: dict[str, SplitStep] = {}  # steps whose items run, by task
        self._split_of: dict[str, SplitStep] = {}  # an item's task -> its step
        self._made_items: dict[str, ActionResult] = {}  # by key
        self.reports: dict[str, StepReport] = {}  # by task
        self.interrupted_by: str | None = None

    def run(self) -> None:
        """Run every step that can run; after an interrupt `interrupted_by` names its signal."""
        try:
            while True:
                while self._advance():
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
        """The next event of the pool or of a lookup; until there is one, the source does what can wait."""
        while True:
            try:
                return self._pool.events.get_nowait()
            except queue.Empty:
                if self._source.idle():
                    continue
            with contextlib.suppress(queue.Empty):
                return self._pool.events.get(timeout=_NOTICED_S)

    def _advance(self) -> bool:
        """Start one step, or look one up; False when there is none now."""
        if (task := self._schedule.start()) is not None:
            self._start(task)
            return True
        # A store that asks other machines takes long: steps that the limits hold back are looked up meanwhile.
        if len(self._looking) < AT_ONCE and (task := self._schedule.look()) is not None:
            prepared = self._prepare(task)
            if prepared is not None:
                self._look_up(task, prepared)
            return True
        return False

    def _start(self, task: str) -> None:
        """Recall a step's result, or have the pool run it."""
        prepared = self._missed.pop(task, None)
        if prepared is None:
            prepared = self._held.pop(task, None) or self._prepare(task)
            if prepared is not None:
                self._look_up(task, prepared)
        elif self._is_held(task, prepared.action):
            self._held[task] = prepared
        else:
            self._begin(task, prepared)

    def _prepare(self, task: str) -> PreparedStep | None:
        """The step with its action; None when it has ended already, or waits for an equal one."""
        step, began = self._steps[task], time.monotonic()
        ended = EndedStep(report=skipped(step), action=None, inputs={}, log=b"")
        try:
            resolved = self._inputs(task, step)
        except InputMissing as error:
            self._observer.started(step)
            failure = Failure(category="config", message=str(error))
        except EnvironmentLacking as error:
            failure = environment_failure(error)
        else:
            if resolved is None:
                self._source.cannot_run(step)
                return None
            action = action_of(step, resolved.inputs, self._source.salt(step))
            if self._is_held(task, action):
                return None
            self._observer.started(step)
            if not self._store.answers_at_once:
                self._observer.pass_on()
            report = msgspec.structs.replace(ended.report, partial=resolved.partial, key=action.key.sha256)
            ended = EndedStep(report=report, action=action, inputs=resolved.inputs, log=b"")
            return PreparedStep(step=step, action=action, inputs=resolved.inputs, ended=ended, began=began)
        self._fail(step, ended, failure, time.monotonic() - began)
        return None

    def _is_held(self, task: str, action: Action) -> bool:
        """True when an equal action runs or is looked up, so that the task waits for its result."""
        other = self._in_flight.get(action.key.sha256) if self._join_equal else None
        if other is None:
            return False
        self._schedule.hold(task, until=other)
        return True

    def _look_up(self, task: str, prepared: PreparedStep) -> None:
        """Follow what is known of the step's result, at once or when the store has answered."""
        step, action = prepared.step, prepared.action
        known = self._source.known(step, action)
        if isinstance(known, ActionResult) and step.each is not None:
            known = None  # its items are known, which says more
        if known is None and self._join_equal and task in self._split_of:
            known = self._made_items.get(action.key.sha256)
        if known is not None:
            log = known.log if isinstance(known, ActionResult) and self._read_logs else None
            self._follow(task, prepared, Found(known=known, log=read_log(log, self._store)))
            return
        lookup = Lookup(
            step=step,
            action=action,
            inputs=prepared.inputs,
            wanted=EVERYTHING if self._store.answers_at_once else self._source.wanted(step),
            read_log=self._read_logs,
            fresh=self._fresh,
            salt_of=self._source.salt,
        )
        try:
            if self._store.answers_at_once or self._fresh:
                found: Found | None = lookup.find(self._store)
            else:
                found = lookup.find_here(self._store)
        except (ItemsRefused, EnvironmentLacking) as error:
            self._refuse(prepared, error)
            return
        if found is not None:
            self._follow(task, prepared, found)
            return
        self._looking[task] = prepared
        self._in_flight.setdefault(action.key.sha256, task)
        begin_lookup(lookup, self._store, self._pool.events.put)

    def _handle_lookup(self, event: LookedUp) -> None:
        """Process the end of a lookup; what an interrupted build finds does not count."""
        self._store.deliver_notes()
        if self.interrupted_by is not None:
            return
        task = self._task_of[event.step.label]
        prepared = self._looking.pop(task)
        self._land(task, prepared.ended)
        if isinstance(event.error, ItemsRefused | EnvironmentLacking):
            self._refuse(prepared, event.error)
        elif event.error is not None:
            raise event.error
        else:
            self._follow(task, prepared, event.found)

    def _refuse(self, prepared: PreparedStep, error: ItemsRefused | EnvironmentLacking) -> None:
        failure = error.failure if isinstance(error, ItemsRefused) else environment_failure(error)
        self._fail(prepared.step, prepared.ended, failure, time.monotonic() - prepared.began)

    def _follow(self, task: str, prepared: PreparedStep, found: Found) -> None:
        """End a step whose result is known; let its items start, or itself."""
        step, ended = prepared.step, prepared.ended
        if isinstance(found.known, Failure):
            self._fail(step, ended, found.known, time.monotonic() - prepared.began)
        elif found.known is not None:
            ended = msgspec.structs.replace(ended, log=found.log)
            self._succeed(step, ended, found.known, "recalled", time.monotonic() - prepared.began)
        elif step.each is not None:
            self._split(task, step, self._with_reasons(prepared), found.items, prepared.began)
        elif not self._schedule.is_looked_up(task):
            self._begin(task, prepared)
        elif self._schedule.missed(task):
            self._missed[task] = prepared
        elif task in self._split_of:
            self._drop_item(task)
        else:
            self._source.cannot_run(step)  # nothing needs it any more

    def _with_reasons(self, prepared: PreparedStep) -> EndedStep:
        """The step as far as it is known, with the reasons why it runs."""
        why = FRESH if self._fresh else self._source.why(prepared.step, prepared.action)
        return msgspec.structs.replace(prepared.ended, report=msgspec.structs.replace(prepared.ended.report, why=why))

    def _begin(self, task: str, prepared: PreparedStep) -> None:
        """Have the pool run a step."""
        step, ended = prepared.step, self._with_reasons(prepared)
        try:
            self._expect(step)
        except EnvironmentLacking as error:
            self._fail(step, ended, environment_failure(error), time.monotonic() - prepared.began)
            return
        self._running[task] = ended
        self._in_flight.setdefault(prepared.action.key.sha256, task)
        self._pool.begin(step, prepared.action, prepared.inputs)
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

    def _drop_item(self, task: str) -> None:
        """An item that was looked up does not start: another one of its step has failed."""
        split = self._split_of[task]
        self._schedule.ended(task, well=True)
        split.waiting.discard(task)
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

    def _handle(self, event: PoolEvent) -> None:
        """Process one event of the pool or of a lookup."""
        if isinstance(event, LookedUp):
            self._handle_lookup(event)
            return
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
