"""A build: what becomes of a plan, step by step."""

from __future__ import annotations

import concurrent.futures
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec
from bskernel_protocol import Artifact, Event, Failure

from bskernel.action import Action, ActionResult, action_of
from bskernel.carry_out import run_in_session
from bskernel.plan import Plan
from bskernel.ports import OutputViolation, Runtime, Session, SessionFailed, Store
from bskernel.step import ExecutorRef, FromFile, Step

Status = Literal["ran", "recalled", "skipped", "failed"]


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


class InputMissing(Exception):  # noqa: N818 - told to the build as data
    """An input file cannot be read."""


def find_inputs(step: Step, made: Mapping[str, ActionResult], store: Store) -> dict[str, Artifact]:
    """The artifacts that a step takes; files of the user are captured. Raises InputMissing."""
    inputs: dict[str, Artifact] = {}
    for name, source in step.inputs.items():
        if isinstance(source, FromFile):
            try:
                artifact = store.capture(source.path, name, source.kind, "application/octet-stream")
            except (OSError, OutputViolation) as error:
                raise InputMissing(f"input {name!r}: {source.path}: {error}") from error
        else:
            output = made[source.step].output(source.output)
            if output is None:
                continue
            artifact = output
        inputs[name] = Artifact(name=name, kind=artifact.kind, digest=artifact.digest, media_type=artifact.media_type)
    return inputs


def carry_out_plan(
    plan: Plan, store: Store, sessions: Sessions, observer: Observer, *, salt: str = "", fresh: bool = False
) -> tuple[StepReport, ...]:
    """Carry out the steps in order; after a failure the rest are skipped. `fresh` recalls nothing."""
    made: dict[str, ActionResult] = {}
    reports: list[StepReport] = []
    failed = False
    for position, step in enumerate(plan.steps):
        began = time.monotonic()
        base = StepReport(name=step.name, executor=str(step.executor), entry=step.entry, status="skipped")
        if failed:
            reports.append(base)
            continue
        observer.started(step)
        action: Action | None = None
        inputs: dict[str, Artifact] = {}
        log = b""
        try:
            inputs = find_inputs(step, made, store)
            action = action_of(step, inputs, salt)
            known = None if fresh else store.recall(action)
            if known is not None:
                made[step.name] = known
                log = (store.get(known.log) if known.log is not None else None) or b""
                report = msgspec.structs.replace(base, status="recalled", outputs=known.outputs, record=known.record)
            else:
                sessions.expect([later.executor for later in plan.steps[position:]])
                session = sessions.get(step.executor)
                # A step's time is its own: environments, images and imports are made for all steps.
                began = time.monotonic()
                carried = run_in_session(step, inputs, store, session, functools.partial(observer.event, step))
                log = carried.log
                if carried.result is not None:
                    store.remember(action, carried.result)
                    made[step.name] = carried.result
                    report = msgspec.structs.replace(
                        base, status="ran", outputs=carried.result.outputs, record=carried.result.record
                    )
                else:
                    report = msgspec.structs.replace(base, status="failed", failure=carried.failure)
        except InputMissing as error:
            report = msgspec.structs.replace(
                base, status="failed", failure=Failure(category="config", message=str(error))
            )
        except SessionFailed as error:
            report = msgspec.structs.replace(base, status="failed", failure=error.failure)
        failed = report.status == "failed"
        report = msgspec.structs.replace(
            report, seconds=round(time.monotonic() - began, 3), key=action.key.sha256 if action else None
        )
        observer.ended(step, EndedStep(report=report, action=action, inputs=inputs, log=log))
        reports.append(report)
    return tuple(reports)
