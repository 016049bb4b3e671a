"""A build: what becomes of a plan, step by step."""

from __future__ import annotations

import functools
import queue
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec
from bskernel_protocol import Artifact, EntryDescription, Event, Failure

from bskernel.action import Action, ActionResult, action_of
from bskernel.endings import interrupted
from bskernel.errors import EnvironmentLacking
from bskernel.gathering import InputMissing, Remaining, find_inputs, find_remaining
from bskernel.plan import Plan
from bskernel.ports import Store
from bskernel.scheduling import JOBS, Schedule, task_of
from bskernel.sessions import Sessions
from bskernel.step import ExecutorRef, Step
from bskernel.working import Done, Said, Workers

Status = Literal["ran", "recalled", "skipped", "failed", "interrupted"]
_SOON_S = 0.5  # how long an interrupted build waits for its threads to say how far their steps were
EntryOf = Callable[[Step], EntryDescription | None]


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one step."""

    name: str
    executor: str
    entry: str
    status: Status
    seconds: float = 0.0
    key: str | None = None
    outputs: tuple[Artifact, ...] = ()
    record: dict[str, Any] = {}
    failure: Failure | None = None
    partial: tuple[str, ...] = ()  # run after a failure: which inputs are older than they should be, or missing
    peak_mib: int | None = None  # what the largest of its processes held when it ran


class EndedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a step was and what became of it; without an action, its inputs could not be found."""

    report: StepReport
    action: Action | None
    inputs: dict[str, Artifact]
    log: bytes


class Observer(Protocol):
    """Hears of a build while it goes on: of several steps in turn when they run at once, always in one thread."""

    def note(self, text: str) -> None:
        """Something beside the steps, such as which runtime is used and why."""

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def event(self, step: Step, event: Event) -> None:
        """The step's executor says something."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step is over."""

    def over(self) -> None:
        """The build is over, however it ended."""


class _Build:
    """A build under way. All decisions are taken in one thread; others only carry out what runs."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        sessions: Sessions,
        observer: Observer,
        limits: Mapping[str, int],
        salt: str,
        fresh: bool,
        entry_of: EntryOf,
    ) -> None:
        self._plan = plan
        self._store = store
        self._sessions = sessions
        self._observer = observer
        self._salt = salt
        self._fresh = fresh
        self._entries = {step.name: entry_of(step) for step in plan.steps}
        self._steps = {step.name: step for step in plan.steps}
        self._schedule = Schedule(
            [task_of(step, limits, after_failure=_after_failure(self._entries[step.name])) for step in plan.steps],
            limits,
        )
        self._workers = Workers(store, sessions, share=not fresh)
        self._made: dict[str, ActionResult] = {}
        self._reports: dict[str, StepReport] = {}
        self._running: dict[str, EndedStep] = {}  # as far as they are known
        self._in_flight: dict[str, str] = {}  # the key of what runs -> its step
        self._interrupted_by = "SIGINT"

    def carry_out(self) -> tuple[StepReport, ...]:
        """Carry out all that can be; the reports are in the plan's order."""
        try:
            while True:
                while (name := self._schedule.start()) is not None:
                    self._begin(self._steps[name])
                if not self._schedule.running:
                    break
                self._hear(self._workers.said.get())
        except KeyboardInterrupt as error:
            self._interrupt(str(error) or "SIGINT")
        except BaseException:
            # A step that still runs must not be remembered: its folder is about to go.
            self._workers.interrupt()
            raise
        return tuple(self._reports.get(step.name) or _skipped(step) for step in self._plan.steps)

    def _begin(self, step: Step) -> None:
        """Recall a step, or have it begin to run."""
        ended = EndedStep(report=_skipped(step), action=None, inputs={}, log=b"")
        began = time.monotonic()
        try:
            found = self._inputs(step)
            if found is None:
                self._schedule.ended(step.name, well=True)
                return
            action = action_of(step, found.inputs, self._salt)
            other = self._in_flight.get(action.key.sha256)
            if other is not None and not self._fresh:
                self._schedule.hold(step.name, until=other)
                return
            self._observer.started(step)
            report = msgspec.structs.replace(ended.report, partial=found.partial, key=action.key.sha256)
            ended = EndedStep(report=report, action=action, inputs=found.inputs, log=b"")
            known = None if self._fresh else self._store.recall(action)
            if known is not None:
                log = (self._store.get(known.log) if known.log is not None else None) or b""
                self._succeeded(
                    step, msgspec.structs.replace(ended, log=log), known, "recalled", time.monotonic() - began
                )
                return
            self._sessions.expect((step.executor, *self._later[step.index]))
        except InputMissing as error:
            self._observer.started(step)
            self._failed(step, ended, Failure(category="config", message=str(error)), time.monotonic() - began)
        except EnvironmentLacking as error:
            failure = Failure(category="environment", message=error.message, hint=error.hint)
            self._failed(step, ended, failure, time.monotonic() - began)
        else:
            self._running[step.name] = ended
            self._in_flight.setdefault(action.key.sha256, step.name)
            self._workers.begin(step, action, found.inputs)

    def _inputs(self, step: Step) -> Remaining | None:
        entry = self._entries[step.name]
        if not self._schedule.failing or entry is None:
            return Remaining(inputs=find_inputs(step, self._made, self._store))
        required = frozenset(item.name for item in entry.inputs if item.required)
        before = [earlier.name for earlier in self._plan.steps[: step.index] if earlier.name in self._made]
        return find_remaining(step, {name: self._made[name] for name in before}, self._store, required)

    @functools.cached_property
    def _later(self) -> list[tuple[ExecutorRef, ...]]:
        """Of each step the executors of those behind it."""
        later: list[tuple[ExecutorRef, ...]] = [()]
        for step in reversed(self._plan.steps):
            later.append(later[-1] if step.executor in later[-1] else (step.executor, *later[-1]))
        return later[:0:-1]

    def _hear(self, said: Said | Done) -> None:
        """Take what the thread of a running step says."""
        if isinstance(said, Said):
            self._observer.event(said.step, said.event)
            return
        if said.error is not None:
            raise said.error
        step, carried = said.step, said.carried
        if said.doubtful and self._schedule.repeat_alone(step.name):
            self._forget(step)
            self._observer.note(f"step {step.name} failed beside others, maybe because of them: it runs again alone")
            return
        ended = self._forget(step)
        report = msgspec.structs.replace(ended.report, peak_mib=carried.peak_mib)
        ended = msgspec.structs.replace(ended, log=carried.log, report=report)
        if carried.result is not None:
            status: Status = "recalled" if said.recalled else "ran"
            self._succeeded(step, ended, carried.result, status, said.seconds)
        elif carried.failure is not None:
            self._failed(step, ended, carried.failure, said.seconds)
        else:
            self._failed(step, ended, interrupted(step, self._interrupted_by), said.seconds)

    def _forget(self, step: Step) -> EndedStep:
        ended = self._running.pop(step.name)
        if ended.report.key is not None and self._in_flight.get(ended.report.key) == step.name:
            del self._in_flight[ended.report.key]
        return ended

    def _succeeded(self, step: Step, ended: EndedStep, result: ActionResult, status: Status, seconds: float) -> None:
        self._made[step.name] = result
        report = msgspec.structs.replace(
            ended.report, status=status, outputs=result.outputs, record=result.record, seconds=round(seconds, 3)
        )
        self._over(step, msgspec.structs.replace(ended, report=report))

    def _failed(self, step: Step, ended: EndedStep, failure: Failure, seconds: float) -> None:
        status: Status = "interrupted" if failure.category == "interrupted" else "failed"
        report = msgspec.structs.replace(ended.report, status=status, failure=failure, seconds=round(seconds, 3))
        self._over(step, msgspec.structs.replace(ended, report=report))

    def _over(self, step: Step, ended: EndedStep) -> None:
        self._reports[step.name] = ended.report
        self._schedule.ended(step.name, well=ended.report.failure is None)
        self._observer.ended(step, ended)

    def _interrupt(self, by: str) -> None:
        """Nothing starts any more, and what runs is over as far as the build is concerned."""
        self._interrupted_by = by
        self._workers.interrupt()
        deadline = time.monotonic() + _SOON_S
        while self._running:
            try:
                self._hear(self._workers.said.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        for step in [self._steps[name] for name in self._running]:
            self._failed(step, self._forget(step), interrupted(step, by), 0.0)
        if not any(report.status == "interrupted" for report in self._reports.values()):
            # Not while a step ran, but while one was decided or told of.
            waiting = [step for step in self._plan.steps if step.name not in self._reports]
            step = (waiting or self._plan.steps)[0 if waiting else -1]
            report = self._reports.get(step.name) or _skipped(step)
            self._reports[step.name] = msgspec.structs.replace(
                report, status="interrupted", failure=interrupted(step, by)
            )


def carry_out_plan(
    plan: Plan,
    store: Store,
    sessions: Sessions,
    observer: Observer,
    *,
    limits: Mapping[str, int] | None = None,
    salt: str = "",
    fresh: bool = False,
    entry_of: EntryOf = lambda _: None,
) -> tuple[StepReport, ...]:
    """Carry out the steps, as many at once as the limits allow; one at a time without. `fresh` recalls nothing.

    Of equal actions one runs and the others recall what it made. After a failure what runs goes on to its end, and of
    the rest only those run whose entry says `after_failure`, with what was made until then; the others are skipped.
    When the build is interrupted, all are.
    """
    return _Build(plan, store, sessions, observer, limits or {JOBS: 1}, salt, fresh, entry_of).carry_out()


def _after_failure(entry: EntryDescription | None) -> bool:
    return entry is not None and entry.after_failure


def _skipped(step: Step) -> StepReport:
    return StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status="skipped")
