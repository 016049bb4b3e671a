"""Runs the plan of one build, step by step."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec
from bskernel_protocol import EntryDescription, Failure

from bskernel.core.action import Action, ActionResult
from bskernel.core.catalogue import EntryOf, required_by, runs_after_failure
from bskernel.core.interfaces import Store, Wanted
from bskernel.core.observers import Observer
from bskernel.core.run_reason import reasons_to_run
from bskernel.core.runtime_failures import interrupted
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import EndedStep, StepReport, skipped
from bskernel.core.written_outputs import written_outputs
from bskernel.execution.scheduler import JOBS, Schedule, task_of
from bskernel.execution.step_inputs import ResolvedInputs, resolve_inputs, resolve_partial_inputs
from bskernel.execution.step_loop import StepLoop
from bskernel.execution.worker_pool import WorkerPool
from bskernel.plan.planner import Plan

LastAction: TypeAlias = Callable[[str], Action | None]  # from a step's name


class PlanSource:
    """The steps of one plan as the run loop sees them; each step's name is that of its task."""

    def __init__(
        self,
        plan: Plan,
        entries: Mapping[str, EntryDescription | None],
        schedule: Schedule,
        store: Store,
        salt: str,
        last_action: LastAction,
    ) -> None:
        self._plan = plan
        self._entries = entries
        self._schedule = schedule
        self._store = store
        self._salt = salt
        self._last_action = last_action
        self._left = Counter(step.executor for step in plan.steps)  # steps that have not ended

    def salt(self, step: Step) -> str:  # noqa: ARG002 - one for all
        """The build's salt."""
        return self._salt

    def inputs(self, step: Step, made: Mapping[str, ActionResult]) -> ResolvedInputs | None:
        """The step's inputs; after a failure, those that are left. Raises InputMissing."""
        entry = self._entries[step.name]
        if not self._schedule.failing or entry is None:
            return ResolvedInputs(inputs=resolve_inputs(step, made, self._store))
        before = {name: made[name] for earlier in self._plan.steps[: step.index] if (name := earlier.name) in made}
        return resolve_partial_inputs(step, before, self._store, required_by(entry))

    def expect(self, step: Step, pool: WorkerPool) -> None:
        """The step's executor first, then those of the steps behind it. Raises EnvironmentLacking."""
        later = (executor for executor in self._later[step.index] if self._left[executor])
        pool.expect((step.executor, *later))

    def why(self, step: Step, action: Action) -> tuple[str, ...]:
        """What changed since its last run in the build directory."""
        return reasons_to_run(step, action, self._last_action(step.name))

    def known(self, step: Step, action: Action) -> ActionResult | Failure | None:  # noqa: ARG002 - asks the store alone
        """Nothing: the store knows."""
        return None

    def wanted(self, step: Step) -> Wanted:
        """What the build directory gets; of an item what the step's output lists."""
        return Wanted(outputs=self._written[step.index], listings=step.item_of is not None)

    def cannot_run(self, step: Step) -> None:
        """The failure that left too little is reported already."""
        self._schedule.ended(step.name, well=True)

    def ended(self, step: Step, ended: EndedStep, result: ActionResult | None, never: tuple[str, ...]) -> None:
        """Nothing more follows from it."""

    def needs_no_more(self, step: Step) -> bool:
        """True for the last step of its executor."""
        self._left[step.executor] -= 1
        return not self._left[step.executor]

    def idle(self) -> bool:
        """No work of a build can wait."""
        return False

    @functools.cached_property
    def _written(self) -> tuple[frozenset[str], ...]:
        return written_outputs(self._plan.steps)

    @functools.cached_property
    def _later(self) -> list[tuple[ExecutorRef, ...]]:
        """For each step, the executors of the steps behind it."""
        later: list[tuple[ExecutorRef, ...]] = [()]
        for step in reversed(self._plan.steps):
            later.append(later[-1] if step.executor in later[-1] else (step.executor, *later[-1]))
        return later[:0:-1]


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
    last_action: LastAction = lambda _: None,
) -> tuple[StepReport, ...]:
    """Run the steps of a plan and return their reports, in the plan's order.

    As many steps run at once as `limits` allow; without limits, one. Of equal actions one runs and the others recall
    its result; `fresh` recalls nothing. After a failure, running steps finish, and of the rest only those start whose
    entry says `after_failure`, with what was made until then; the others are skipped. An interrupt skips all.
    `last_action` gives a step's action in the last build of the directory, for the report to say why it ran.
    """
    limits = limits or {JOBS: 1}
    entries = {step.name: entry_of(step) for step in plan.steps}
    tasks = [task_of(step, limits, after_failure=runs_after_failure(entries[step.name])) for step in plan.steps]
    schedule = Schedule(tasks, limits, look_first=not (fresh or store.answers_at_once))
    source = PlanSource(plan, entries, schedule, store, salt, last_action)
    steps = {step.name: step for step in plan.steps}
    loop = StepLoop(steps, schedule, source, store, pool, observer, fresh=fresh, join_equal=not fresh)
    loop.run()
    reports = [loop.reports.get(step.name) or skipped(step) for step in plan.steps]
    if loop.interrupted_by is not None and all(report.status != "interrupted" for report in reports):
        # No step was running: the interrupt counts for the first one that had not started, else for the last.
        at = next((at for at, step in enumerate(plan.steps) if step.name not in loop.reports), len(reports) - 1)
        failure = interrupted(plan.steps[at], loop.interrupted_by)
        reports[at] = msgspec.structs.replace(reports[at], status="interrupted", failure=failure)
    return tuple(reports)
