"""A build: what becomes of a plan, step by step."""

from __future__ import annotations

import concurrent.futures
import functools
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec
from bskernel_protocol import Artifact, EntryDescription, Event, Failure

from bskernel.action import Action, ActionResult, action_of
from bskernel.carry_out import run_in_session
from bskernel.endings import interrupted
from bskernel.errors import EnvironmentLacking
from bskernel.gathering import InputMissing, Remaining, find_inputs, find_remaining
from bskernel.plan import Plan
from bskernel.ports import Runtime, Session, SessionFailed, Store
from bskernel.step import ExecutorRef, Step

Status = Literal["ran", "recalled", "skipped", "failed", "interrupted"]
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
    """Hears of a build while it goes on."""

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


class Sessions:
    """The sessions of a build: each started once, when a step that really runs needs it or will soon."""

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._make_runtime = runtime
        self._runtime: Runtime | None = None
        self._opened: dict[ExecutorRef, concurrent.futures.Future[Session]] = {}
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=4, thread_name_prefix="session")

    def expect(self, executors: list[ExecutorRef]) -> None:
        """Start these executors in the background."""
        # A build whose steps are all recalled needs no runtime.
        self._runtime = self._runtime or self._make_runtime()
        new = [executor for executor in dict.fromkeys(executors) if executor not in self._opened]
        for executor in new:
            # Here and not in the background: what takes minutes must be heard of and be interruptible.
            self._runtime.prepare(executor)
        for executor in new:
            self._opened[executor] = self._pool.submit(self._runtime.open, executor)

    def get(self, executor: ExecutorRef) -> Session:
        """The executor's session, once it is ready. Raises SessionFailed, EnvironmentLacking."""
        self.expect([executor])
        return self._opened[executor].result()

    @property
    def runtime_name(self) -> str:
        """The runtime's name; "none" when no step ran."""
        return self._runtime.name if self._runtime is not None else "none"

    def close(self) -> None:
        """Close all, also those still starting."""
        for future in self._opened.values():
            future.cancel()
        if self._runtime is not None:
            self._runtime.close()
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Build:
    """A build under way: what was made so far."""

    def __init__(
        self, plan: Plan, store: Store, sessions: Sessions, observer: Observer, salt: str, fresh: bool
    ) -> None:
        self._plan = plan
        self._store = store
        self._sessions = sessions
        self._observer = observer
        self._salt = salt
        self._fresh = fresh
        self._made: dict[str, ActionResult] = {}
        self._last_use = {step.executor: step.index for step in plan.steps}

    def carry_out(self, step: Step, left: EntryDescription | None) -> StepReport:
        """Recall or run a step and report what became of it; `left` is its entry when an earlier step failed."""
        base = _skipped(step)
        ended = EndedStep(report=base, action=None, inputs={}, log=b"")
        began = time.monotonic()
        try:
            found = self._inputs(step, left)
            if found is None:
                return base
            self._observer.started(step)
            ended = EndedStep(
                report=msgspec.structs.replace(base, partial=found.partial),
                action=action_of(step, found.inputs, self._salt),
                inputs=found.inputs,
                log=b"",
            )
            began, ended = self._recalled(step, ended) or self._ran(step, ended)
        except InputMissing as error:
            self._observer.started(step)
            ended = _failed(ended, Failure(category="config", message=str(error)))
        except SessionFailed as error:
            ended = _failed(ended, error.failure)
        except EnvironmentLacking as error:
            ended = _failed(ended, Failure(category="environment", message=error.message, hint=error.hint))
        except KeyboardInterrupt as error:
            ended = _failed(ended, interrupted(step, str(error) or "SIGINT"))
        report = msgspec.structs.replace(
            ended.report,
            seconds=round(time.monotonic() - began, 3),
            key=ended.action.key.sha256 if ended.action else None,
        )
        self._observer.ended(step, msgspec.structs.replace(ended, report=report))
        return report

    def _inputs(self, step: Step, left: EntryDescription | None) -> Remaining | None:
        if left is None:
            return Remaining(inputs=find_inputs(step, self._made, self._store))
        required = frozenset(item.name for item in left.inputs if item.required)
        return find_remaining(step, self._made, self._store, required)

    def _recalled(self, step: Step, ended: EndedStep) -> tuple[float, EndedStep] | None:
        began = time.monotonic()
        known = None if self._fresh or ended.action is None else self._store.recall(ended.action)
        if known is None:
            return None
        self._made[step.name] = known
        log = (self._store.get(known.log) if known.log is not None else None) or b""
        report = msgspec.structs.replace(ended.report, status="recalled", outputs=known.outputs, record=known.record)
        return began, msgspec.structs.replace(ended, report=report, log=log)

    def _ran(self, step: Step, ended: EndedStep) -> tuple[float, EndedStep]:
        self._sessions.expect([executor for executor, last in self._last_use.items() if last >= step.index])
        session = self._sessions.get(step.executor)
        # A step's time is its own: environments, images and imports are made for all steps.
        began = time.monotonic()
        carried = run_in_session(
            step, ended.inputs, self._store, session, functools.partial(self._observer.event, step)
        )
        ended = msgspec.structs.replace(
            ended, log=carried.log, report=msgspec.structs.replace(ended.report, peak_mib=carried.peak_mib)
        )
        result = carried.result
        if carried.failure is not None or result is None or ended.action is None:
            return began, _failed(ended, carried.failure)
        self._store.remember(ended.action, result)
        self._made[step.name] = result
        report = msgspec.structs.replace(ended.report, status="ran", outputs=result.outputs, record=result.record)
        return began, msgspec.structs.replace(ended, report=report)


def _failed(ended: EndedStep, failure: Failure | None) -> EndedStep:
    status: Status = "interrupted" if failure is not None and failure.category == "interrupted" else "failed"
    return msgspec.structs.replace(
        ended, report=msgspec.structs.replace(ended.report, status=status, failure=failure)
    )


def carry_out_plan(
    plan: Plan,
    store: Store,
    sessions: Sessions,
    observer: Observer,
    *,
    salt: str = "",
    fresh: bool = False,
    entry_of: EntryOf = lambda _: None,
) -> tuple[StepReport, ...]:
    """Carry out the steps in order; `fresh` recalls nothing.

    After a failure only those run whose entry says `after_failure`, with what was made until then; the rest are
    skipped. When the build is interrupted, all are.
    """
    build = _Build(plan, store, sessions, observer, salt, fresh)
    reports: list[StepReport] = []
    states: set[Status] = set()
    for step in plan.steps:
        states |= {report.status for report in reports[-1:]}
        entry = entry_of(step)
        if "interrupted" in states or ("failed" in states and not (entry is not None and entry.after_failure)):
            reports.append(_skipped(step))
            continue
        try:
            reports.append(build.carry_out(step, entry if "failed" in states else None))
        except KeyboardInterrupt as error:
            # Not while it ran, but while it was told of.
            failure = interrupted(step, str(error) or "SIGINT")
            reports.append(msgspec.structs.replace(_skipped(step), status="interrupted", failure=failure))
    return tuple(reports)


def _skipped(step: Step) -> StepReport:
    return StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status="skipped")
