"""A build: what becomes of a plan, step by step."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from bskernel.core.catalogue import EntryOf, required_by, runs_after_failure
from bskernel.core.interfaces import Store
from bskernel.core.observers import Observer
from bskernel.core.runtime_failures import interrupted
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import StepReport, skipped
from bskernel.execution.scheduler import JOBS, Schedule, task_of
from bskernel.execution.step_inputs import ResolvedInputs, resolve_inputs, resolve_partial_inputs
from bskernel.execution.step_loop import Execution
from bskernel.execution.worker_pool import WorkerPool
from bskernel.plan.planner import Plan


class _Build(Execution):
    """The steps of one plan: their names are those of their tasks."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        pool: WorkerPool,
        observer: Observer,
        limits: Mapping[str, int],
        salt: str,
        fresh: bool,
        entry_of: EntryOf,
    ) -> None:
        self._plan = plan
        self._entries = {step.name: entry_of(step) for step in plan.steps}
        tasks = [
            task_of(step, limits, after_failure=runs_after_failure(self._entries[step.name])) for step in plan.steps
        ]
        super().__init__(plan.steps, Schedule(tasks, limits), store, pool, observer, fresh=fresh)
        self._own_salt = salt

    def run(self) -> tuple[StepReport, ...]:
        """Carry out all that can be; the reports are in the plan's order."""
        self._run()
        return tuple(self._reports.get(step.name) or skipped(step) for step in self._plan.steps)

    def _task(self, step: Step) -> str:
        return step.name

    def _salt(self, step: Step) -> str:  # noqa: ARG002 - one for all
        return self._own_salt

    def _inputs(self, step: Step) -> ResolvedInputs | None:
        entry = self._entries[step.name]
        if not self._schedule.failing or entry is None:
            return ResolvedInputs(inputs=resolve_inputs(step, self._made, self._store))
        before = [earlier.name for earlier in self._plan.steps[: step.index] if earlier.name in self._made]
        return resolve_partial_inputs(
            step, {name: self._made[name] for name in before}, self._store, required_by(entry)
        )

    def _expect(self, step: Step) -> None:
        self._pool.expect((step.executor, *self._later[step.index]))

    @functools.cached_property
    def _later(self) -> list[tuple[ExecutorRef, ...]]:
        """Of each step the executors of those behind it."""
        later: list[tuple[ExecutorRef, ...]] = [()]
        for step in reversed(self._plan.steps):
            later.append(later[-1] if step.executor in later[-1] else (step.executor, *later[-1]))
        return later[:0:-1]

    def _at_no_step(self, by: str) -> None:
        waiting = [step for step in self._plan.steps if step.name not in self._reports]
        step = (waiting or self._plan.steps)[0 if waiting else -1]
        report = self._reports.get(step.name) or skipped(step)
        self._reports[step.name] = msgspec.structs.replace(
            report, status="interrupted", failure=interrupted(step, by)
        )


def run_plan(
    plan: Plan,
    store: Store,
    pool: WorkerPool,
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
    return _Build(plan, store, pool, observer, limits or {JOBS: 1}, salt, fresh, entry_of).run()
