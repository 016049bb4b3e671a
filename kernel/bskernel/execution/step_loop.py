"""Steps carried out: which begins when, what is recalled, and what becomes of each. A build, or many as one."""

from __future__ import annotations

import abc
import queue
import time
from collections.abc import Sequence

import msgspec
from bskernel_protocol import Failure

from bskernel.core.action import Action, ActionResult, action_of
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.observers import Observer
from bskernel.core.runtime_failures import environment_failure, interrupted
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep, Status, StepReport, skipped
from bskernel.execution.scheduler import Schedule
from bskernel.execution.step_inputs import InputMissing, ResolvedInputs, read_log
from bskernel.execution.worker_pool import Notice, PoolEvent, StepEvent, WorkerPool

_SOON_S = 0.5  # how long who is interrupted waits for running steps to say how far they were


class Execution(abc.ABC):
    """Steps under way. All decisions are taken in one thread; the crew only carries out what runs.

    Within, each step has the name of its task: steps of several builds may be called alike.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        schedule: Schedule,
        store: Store,
        pool: WorkerPool,
        observer: Observer,
        *,
        fresh: bool,
    ) -> None:
        self._steps = {self._task(step): step for step in steps}
        self._schedule = schedule
        self._store = store
        self._pool = pool
        self._observer = observer
        self._fresh = fresh
        self._made: dict[str, ActionResult] = {}
        self._reports: dict[str, StepReport] = {}
        self._running: dict[str, EndedStep] = {}  # as far as they are known
        self._in_flight: dict[str, str] = {}  # the key of what runs -> its task
        self._interrupted_by: str | None = None

    @abc.abstractmethod
    def _task(self, step: Step) -> str:
        """The name of its task."""

    @abc.abstractmethod
    def _salt(self, step: Step) -> str:
        """What its build adds to the key."""

    @abc.abstractmethod
    def _inputs(self, step: Step) -> ResolvedInputs | None:
        """What it takes; None when it cannot run with what is left after a failure. Raises InputMissing."""

    @abc.abstractmethod
    def _expect(self, step: Step) -> None:
        """Have the crew ready for it. Raises EnvironmentLacking."""

    @abc.abstractmethod
    def _at_no_step(self, by: str) -> None:
        """It was interrupted while no step ran: one was decided, or told of."""

    def _run(self) -> None:
        """Carry out all that can be."""
        try:
            while True:
                while (name := self._schedule.start()) is not None:
                    self._begin(self._steps[name])
                if not self._schedule.running:
                    break
                self._hear(self._next_said())
        except KeyboardInterrupt as error:
            self._interrupt(str(error) or "SIGINT")
        except BaseException:
            # A step that still runs must not be remembered: its folder is about to go.
            self._pool.interrupt()
            raise

    def _next_said(self) -> PoolEvent:
        """What the crew says next; until it says something, what can wait is done."""
        while True:
            try:
                return self._pool.events.get_nowait()
            except queue.Empty:
                if not self._catch_up():
                    return self._pool.events.get()

    def _catch_up(self) -> bool:
        """Do one thing that no step waits for; False when there is none."""
        return False

    def _begin(self, step: Step) -> None:
        """Recall a step, or have it begin to run."""
        ended = EndedStep(report=skipped(step), action=None, inputs={}, log=b"")
        began = time.monotonic()
        try:
            found = self._inputs(step)
            if found is None:
                self._cannot_run(step)
                return
            action = action_of(step, found.inputs, self._salt(step))
            other = self._in_flight.get(action.key.sha256)
            if other is not None and self._shares_runs:
                self._schedule.hold(self._task(step), until=other)
                return
            self._observer.started(step)
            report = msgspec.structs.replace(ended.report, partial=found.partial, key=action.key.sha256)
            ended = EndedStep(report=report, action=action, inputs=found.inputs, log=b"")
            known = self._known(step, action)
            if isinstance(known, Failure):
                self._failed(step, ended, known, time.monotonic() - began)
                return
            if known is not None:
                ended = msgspec.structs.replace(ended, log=self._log_of(known))
                self._succeeded(step, ended, known, "recalled", time.monotonic() - began)
                return
            self._expect(step)
        except InputMissing as error:
            self._observer.started(step)
            self._failed(step, ended, Failure(category="config", message=str(error)), time.monotonic() - began)
        except EnvironmentLacking as error:
            self._failed(step, ended, environment_failure(error), time.monotonic() - began)
        else:
            self._running[self._task(step)] = ended
            self._in_flight.setdefault(action.key.sha256, self._task(step))
            self._pool.begin(step, action, found.inputs)
            self._observer.running(step)

    def _cannot_run(self, step: Step) -> None:
        self._schedule.ended(self._task(step), well=True)

    @property
    def _shares_runs(self) -> bool:
        """Does a step wait for another one that does the same now?"""
        return not self._fresh

    def _known(self, step: Step, action: Action) -> ActionResult | Failure | None:  # noqa: ARG002 - a sweep's limits
        """What is known to come of the action."""
        return None if self._fresh else self._store.recall(action)

    def _log_of(self, known: ActionResult) -> bytes:
        return read_log(known.log, self._store)

    def _hear(self, said: PoolEvent) -> None:
        """Take what the crew says of a running step."""
        if isinstance(said, Notice):
            self._observer.note(said.text)
            return
        if isinstance(said, StepEvent):
            self._observer.event(said.step, said.event)
            return
        if said.error is not None:
            raise said.error
        step, outcome = said.step, said.outcome
        if said.doubtful and self._schedule.repeat_alone(self._task(step)):
            self._forget(step)
            self._observer.note(f"step {step.name} failed beside others, maybe because of them: it runs again alone")
            return
        ended = self._forget(step)
        report = msgspec.structs.replace(ended.report, peak_mib=outcome.peak_mib)
        ended = msgspec.structs.replace(ended, log=outcome.log, report=report)
        if outcome.result is not None:
            status: Status = "recalled" if said.recalled else "ran"
            self._succeeded(step, ended, outcome.result, status, said.seconds)
        elif outcome.failure is not None:
            self._failed(step, ended, outcome.failure, said.seconds)
        else:
            self._failed(step, ended, interrupted(step, self._interrupted_by or "SIGINT"), said.seconds)

    def _forget(self, step: Step) -> EndedStep:
        task = self._task(step)
        ended = self._running.pop(task)
        if ended.report.key is not None and self._in_flight.get(ended.report.key) == task:
            del self._in_flight[ended.report.key]
        return ended

    def _succeeded(self, step: Step, ended: EndedStep, result: ActionResult, status: Status, seconds: float) -> None:
        self._made[self._task(step)] = result
        report = msgspec.structs.replace(
            ended.report, status=status, outputs=result.outputs, record=result.record, seconds=round(seconds, 3)
        )
        self._over(step, msgspec.structs.replace(ended, report=report))

    def _failed(self, step: Step, ended: EndedStep, failure: Failure, seconds: float) -> None:
        status: Status = "interrupted" if failure.category == "interrupted" else "failed"
        report = msgspec.structs.replace(ended.report, status=status, failure=failure, seconds=round(seconds, 3))
        self._over(step, msgspec.structs.replace(ended, report=report))

    def _over(self, step: Step, ended: EndedStep) -> None:
        self._reports[self._task(step)] = ended.report
        self._schedule.ended(self._task(step), well=ended.report.failure is None)
        self._observer.ended(step, ended)

    def _interrupt(self, by: str) -> None:
        """Nothing starts any more, and what runs is over as far as the build is concerned."""
        self._interrupted_by = by
        self._pool.interrupt()
        deadline = time.monotonic() + _SOON_S
        while self._running:
            try:
                self._hear(self._pool.events.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        for step in [self._steps[name] for name in self._running]:
            self._failed(step, self._forget(step), interrupted(step, by), 0.0)
        if not any(report.status == "interrupted" for report in self._reports.values()):
            self._at_no_step(by)
