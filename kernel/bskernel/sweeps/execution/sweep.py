"""Runs a sweep: its points in one or several batches with one worker pool, and their directories."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Self

import msgspec

from bskernel.config import Loop
from bskernel.core.places import build_place, cache_place, within
from bskernel.core.step_report import EndedStep
from bskernel.result.build_directory import BUILD_LOG, lock_folder
from bskernel.result.exported_artifacts import ARTIFACTS
from bskernel.result.output_folder import KEPT, clear_for_file, create_text
from bskernel.result.output_writer import check_writer, note_writer
from bskernel.result.report_file import discard_report
from bskernel.sweeps.analysis.repetitions import Repetition
from bskernel.sweeps.analysis.table import Row, SweepTable, counted
from bskernel.sweeps.execution.finished_point import FinishedPoint
from bskernel.sweeps.execution.node_run import NodeRun
from bskernel.sweeps.execution.point_writer import PointBuild, PointWriter, row_of
from bskernel.sweeps.execution.preparation import PreparedSweep
from bskernel.sweeps.planning.graph import Point, SweepPlan, with_points
from bskernel.sweeps.points.points import Settings
from bskernel.sweeps.report.observers import CompositeSweepObserver, SweepLog, SweepObserver
from bskernel.sweeps.results.sweep_file import CSV, POINTS, SWEEP, write_sweep
from bskernel.sweeps.results.sweep_result import StepCounts, SweepResult
from bskernel.sweeps.search.repetition import RoundResult, repeat
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.lock_maker import LockMaker, NotLockable
from bskernel.workspace.output_place import OutputPlace
from bskernel.workspace.worker_pools import PoolHandle
from bskernel.workspace.workspace import Workspace

_ATTEMPTS = 4  # for points whose bytes the cache loses while they are built


class Sweep:
    """Runs points and collects their rows. A context manager that closes its sessions at the end.

    `run` may be called repeatedly, as a search does: later batches recall what they share with earlier ones, and the
    sessions stay.
    """

    def __init__(
        self,
        workspace: Workspace,
        prepared: PreparedSweep,
        output: OutputPlace,
        observer: SweepObserver,
        options: BuildOptions = BuildOptions(),  # noqa: B008 - frozen
    ) -> None:
        """`prepared` holds the configurations of the points."""
        base = prepared.loaded
        self._workspace = workspace
        self._prepared = prepared
        self._base = base
        self._output = output.path
        self._below = output.below
        self._options = options
        self._observers: tuple[SweepObserver, ...] = (observer,)
        self._began = time.monotonic()
        self._rows: dict[str, Row | None] = {}  # in the order of the points
        self._nodes: Counter[str] = Counter()
        self._keys: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._done = 0
        self._repetitions: tuple[Repetition, ...] = ()
        search = prepared.section.search
        # The least number of points: a search has yet to choose its own.
        self._expected = len(prepared.plan.points) + (search.trials if search is not None else 0)
        self.interrupted = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(lock_folder(self._output, "sweep", self._below))
            discard_report(self._output)
            for name in (SWEEP, CSV, BUILD_LOG):
                clear_for_file(self._output / name, self._output / KEPT / name)
            log = stack.enter_context(create_text(self._output / BUILD_LOG))
            note_writer(self._output, self._prepared.loaded.path)
            self._observer = CompositeSweepObserver((SweepLog.to_file(log), *self._observers))
            stack.callback(self._observer.over)
            stack.callback(self._workspace.files.save)
            self._opened = stack.enter_context(self._workspace.open_store(self._base, self._observer.note))
            self._store = self._opened.store
            self._pool, self._limits = stack.enter_context(self._open_pool())
            for stale in (SWEEP, CSV):
                (self._output / stale).unlink(missing_ok=True)
            self._locks = LockMaker(self._store, self._workspace.recipe)
            self._recorder = PointWriter(self._output, self._store, self._base)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        if self.interrupted:
            self._opened.leave_pending()
        self._stack.close()

    def _open_pool(self) -> AbstractContextManager[PoolHandle]:
        return self._workspace.pool(self._base, self._store, self._options, note=self._observer.note)

    def note(self, text: str) -> None:
        """Pass a remark to the observers."""
        self._observer.note(text)

    def run_points(self, settings: Sequence[Settings]) -> tuple[Row, ...]:
        """Plan these points and run them. Raises ConfigError, EnvironmentLacking."""
        return self.run(self._prepared.extend(settings))

    def run(self, plan: SweepPlan) -> tuple[Row, ...]:
        """Run a batch; returns its rows in order. After an interrupt `interrupted` is set, and rows say so."""
        if not plan.points:
            return ()
        plan = with_points(plan, plan.points)
        for point in plan.points:
            self._rows.setdefault(point.name, None)
        steps = sum(len(point.nodes) for point in plan.points)
        self._nodes.update(nodes=len(plan.nodes), steps=steps)
        summary = f"{counted(len(plan.points))} with {counted(steps, 'step')}, {len(plan.nodes)} of them distinct"
        self._observer.note(summary)
        for warning in self._prepared.warnings(plan.points):
            self._observer.note(f"warning: {warning}")
        self._observer.planned(tuple(node.step for node in plan.nodes))
        # Reading finds corrupt bytes, removes them, and makes the cache doubt the rest: the second attempt finds all.
        damaged, attempt = self._attempt(plan), 1
        while damaged and not self.interrupted:
            attempt += 1
            self._store.doubt()
            damaged = self._attempt(with_points(plan, damaged), again=True, last=attempt == _ATTEMPTS)
        return tuple(row for point in plan.points if (row := self._rows[point.name]) is not None)

    def _attempt(self, plan: SweepPlan, *, again: bool = False, last: bool = False) -> tuple[Point, ...]:
        """Run a plan once; returns the points with damaged artifacts. In the `last` attempt such a point fails."""
        damaged: list[Point] = []

        def report(ended: FinishedPoint) -> Iterator[None]:
            row, lost = yield from self._recorder.record(ended, self._build_of, runtime=self._pool.runtime_name)
            if lost and last:
                why = f"{lost[0]} is missing from the cache or corrupt, though the step that produces it ran again"
                row = msgspec.structs.replace(row, status="failed", reason=why)
                if ended.failure is None:
                    self._failures["environment"] += 1
            elif lost:
                damaged.append(ended.point)
                self._observer.note(
                    f"{lost[0]} is missing from the cache or corrupt; rerunning the step that produces it"
                )
                return
            self._done += 1
            self._keep(row, ended)
            self._observer.point(row, self._done, max(self._expected, len(self._rows)))

        nodes = NodeRun(
            plan,
            self._store,
            self._pool,
            self._observer,
            limits=self._limits,
            fresh=self._options.fresh and not again,
            entry_of=self._workspace.entry,
            require=self._prepared.goals.require,
            on_point=report,
        )
        try:
            self.interrupted = not nodes.run()
        finally:
            self._count(nodes.ended_steps)
        for ended in nodes.interrupted():
            self._keep(row_of(ended, None), ended)
        return tuple(damaged)

    def _build_of(self, point: Point) -> PointBuild:
        loaded = self._prepared.config_of(point)
        try:
            lock = self._locks.make(loaded, self._prepared.plan_of(point).steps)
        except NotLockable as error:
            self._observer.note(f"warning: {point.name}: build.lock is not written: {error}")
            lock = None
        return PointBuild(loaded=loaded, lock=lock, backend=self._prepared.backend_of(point))

    def _keep(self, row: Row, ended: FinishedPoint) -> None:
        self._rows[row.name] = row
        if row.status == "failed" and ended.failure is not None:
            self._failures[ended.failure.category] += 1

    def _count(self, ended: Mapping[int, EndedStep]) -> None:
        self._nodes.update(item.report.status for item in ended.values())
        self._keys |= {item.report.key for item in ended.values() if item.report.key is not None}

    def repeat(self, loop: Loop) -> None:
        """Build each point again with what its last round found out, until the loop's condition holds."""
        name, folder = str(self._prepared.section.repeat), self._base.folder.resolve()

        def result_of(row: Row) -> RoundResult | None:
            file = self._output / POINTS / row.name / ARTIFACTS / loop.result
            if not file.is_file():
                return None
            # Relative where that is short, so that the name of a round's point is the same in another checkout.
            path = os.path.relpath(file.resolve(), folder)
            return RoundResult(path=path, digest=hashlib.sha256(file.read_bytes()).hexdigest())

        def run_points(settings: Sequence[Settings]) -> Sequence[Row]:
            self._observer.note(f"{name}: {loop.until} does not hold for {counted(len(settings))}: another round")
            return self.run_points(settings)

        first = [row for row in self._rows.values() if row is not None]
        self._repetitions = repeat(
            name,
            loop,
            first,
            rounds=self._prepared.section.rounds,
            run_points=run_points,
            result_of=result_of,
        )

    def result(self) -> SweepResult:
        """Write sweep.json with everything so far, and return it."""
        rows = tuple(row for row in self._rows.values() if row is not None)
        counts = StepCounts.of(
            rows, self._nodes, steps=self._nodes["steps"], nodes=self._nodes["nodes"], actions=len(self._keys)
        )
        result = SweepResult(
            table=SweepTable.of(self._base.name, rows),
            goals=self._prepared.goals,
            counts=counts,
            status="interrupted" if self.interrupted else "failed" if counts.failed else "ok",
            directory=self._output,
            runtime=self._pool.runtime_name,
            seconds=round(time.monotonic() - self._began, 3),
            failures=dict(sorted(self._failures.items())),
            repetitions=self._repetitions,
        )
        self._store.flush()
        write_sweep(result)
        return result


def run_sweep(
    workspace: Workspace,
    prepared: PreparedSweep,
    observer: SweepObserver,
    *,
    output: Path | None = None,
    options: BuildOptions = BuildOptions(),  # noqa: B008 - frozen
) -> SweepResult:
    """Run all points of a sweep. Raises ConfigError, EnvironmentLacking."""
    folder = workspace.place_output(prepared.loaded, output, suffix="-sweep")
    check_writer(folder.path, prepared.loaded.path)
    with (
        within(build_place(folder), cache_place(workspace.cache)),
        Sweep(workspace, prepared, folder, observer, options) as sweep,
    ):
        try:
            sweep.run(prepared.plan)
            if prepared.section.search is not None and not sweep.interrupted:
                _search(prepared, sweep)
            if prepared.loop is not None:
                sweep.repeat(prepared.loop)
        except KeyboardInterrupt:
            sweep.interrupted = True
        finally:
            # Also when a search fails after some points.
            result = sweep.result()
        return result


def _search(prepared: PreparedSweep, sweep: Sweep) -> None:
    from bskernel.sweeps.search.optuna_search import search

    searched = search(
        prepared.section,
        name=prepared.loaded.name,
        where=f"{prepared.loaded.path}: sweep",
        keeps=prepared.points.keeps,
        run_points=sweep.run_points,
    )
    if searched.ended == "exhausted":
        sweep.note(f"the search ends: it has tried all {counted(len(searched.table.rows))}")
