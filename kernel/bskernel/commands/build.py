"""Runs one build, from its plan to its build directory."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bskernel.config.reader import INPUTS
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.metrics_form import METRICS
from bskernel.core.observers import Observer
from bskernel.core.places import build_place, cache_place, within
from bskernel.core.runtime_failures import lost_input
from bskernel.execution.plan_run import run_plan
from bskernel.flow.snapshot import snapshot_config
from bskernel.host.system import system_facts
from bskernel.lock.build_lock import BuildLock
from bskernel.lock.lock_file import lock_text
from bskernel.result.build_directory import BuildDirectory
from bskernel.result.build_result import BuildResult, Origin, metrics_of, origin_of, with_lost_artifacts
from bskernel.result.exported_artifacts import places_of
from bskernel.result.output_writer import check_writer, note_writer
from bskernel.result.recorder import RecordingObserver
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.lock_maker import LockMaker, NotLockable
from bskernel.workspace.worker_pools import PoolHandle
from bskernel.workspace.workspace import PreparedBuild, Workspace

_ATTEMPTS = 4  # for a build whose cache loses bytes while it runs


def run_build(
    workspace: Workspace,
    prepared: PreparedBuild,
    observer: Observer,
    *,
    options: BuildOptions = BuildOptions(),  # noqa: B008 - frozen
) -> BuildResult:
    """Run the steps of a plan, on this machine or on a cluster, and write the build directory.

    A failed step is a result, not an exception. Raises ConfigError if the build cannot start; EnvironmentLacking if
    it cannot start, or cannot write its directory; the result of an earlier build there then stays.
    """
    with within(build_place(prepared.output), cache_place(workspace.cache)):
        directory = BuildDirectory(prepared.output, below=prepared.below)
        check_writer(prepared.output, prepared.loaded.path)
        directory.open()
        try:
            return _build(workspace, prepared, directory, observer, options)
        except (OSError, EnvironmentLacking):
            directory.restore()
            raise
        finally:
            directory.close()


def _build(
    workspace: Workspace,
    prepared: PreparedBuild,
    directory: BuildDirectory,
    observer: Observer,
    options: BuildOptions,
) -> BuildResult:
    from bskernel.report.log import Log

    start = time.monotonic()
    with directory.open_log() as log:
        recorder = RecordingObserver((Log.to_file(log, workspace.starts_executors), observer), directory)
        for line in prepared.backend.lines if prepared.backend else ():
            recorder.note(line)
        if prepared.without_points:
            recorder.note(f"{prepared.loaded.path.name}: [sweep] is ignored; `bskernel sweep` builds its points")
        for warning in prepared.plan.warnings:
            recorder.note(f"warning: {warning}")
        recorder.planned(prepared.plan.steps)
        try:
            note_writer(prepared.output, prepared.loaded.path)
            directory.write_config(snapshot_config(prepared.loaded))
            with (
                workspace.open_store(prepared.loaded, recorder.note) as opened,
                workspace.pool(prepared.loaded, opened.store, options, note=recorder.note) as handle,
            ):
                lock = _lock(workspace, prepared, opened.store, options.images, recorder)
                directory.write_lock(lock_text(lock) if lock is not None else None)
                # A directory that has them keeps them up to date: its config.json finds them there.
                if lock is not None and (options.with_inputs or (directory.path / INPUTS).is_dir()):
                    for lost in directory.write_inputs(lock, opened.store):
                        recorder.note(f"warning: {lost} is missing from the cache, and so in {INPUTS}/")
                result = _run_and_write(
                    workspace, prepared, opened.store, handle, recorder, options=options, start=start, lock=lock
                )
                if result.status == "interrupted":
                    opened.leave_pending()
        finally:
            workspace.files.save()
            recorder.over()
    directory.note_rest()
    return result


def _lock(
    workspace: Workspace,
    prepared: PreparedBuild,
    store: Store,
    images: Mapping[str, str],
    recorder: RecordingObserver,
) -> BuildLock | None:
    """The build's lock; None when none can be made, which is noted."""
    try:
        return LockMaker(store, workspace.recipe).make(prepared.loaded, prepared.plan.steps).with_images(images)
    except NotLockable as error:
        recorder.note(f"warning: build.lock is not written: {error}")
        return None


def _origin(workspace: Workspace, lock: BuildLock | None, runtime: str) -> Origin | None:
    engine = workspace.engine_facts
    if engine is None and runtime == "docker":  # a cluster's workers have started the executors
        from bskernel.commands.machine_facts import engine_facts

        engine = engine_facts()
    return origin_of(lock, system_facts(), engine) if lock is not None else None


def _runtime_warnings(requested: str, used: str) -> tuple[str, ...]:
    """What a runtime that nobody asked for does not promise."""
    if (requested, used) != ("auto", "process"):
        return ()
    from bskernel.runtime.confinement import landlock_version, process_warning

    return (process_warning(landlock_version()),)


def _again(prepared: PreparedBuild, options: BuildOptions) -> tuple[str, ...]:
    """The arguments of `bskernel run` that run this build again, and only what is left of it."""
    place = () if options.cluster is None else ("--cluster", options.cluster)
    runtime = () if options.runtime == "auto" else ("--runtime", options.runtime)
    return (str(prepared.loaded.path), *prepared.given, *runtime, *place)


def _run_and_write(
    workspace: Workspace,
    prepared: PreparedBuild,
    store: Store,
    handle: PoolHandle,
    recorder: RecordingObserver,
    *,
    options: BuildOptions,
    start: float,
    lock: BuildLock | None,
) -> BuildResult:
    from bskernel.result.result_writer import summarize, with_files, write_or_bare, write_results

    # Reading finds corrupt bytes, removes them, and makes the cache doubt the rest: then the second run finds all.
    for _ in range(_ATTEMPTS):
        reports = run_plan(
            prepared.plan,
            store,
            handle.pool,
            recorder,
            limits=handle.limits,
            salt=prepared.loaded.config.build.salt,
            fresh=options.fresh,
            entry_of=workspace.entry,
            last_action=recorder.directory.last_action,
        )
        metrics = metrics_of(reports, store)
        result = summarize(
            prepared.loaded,
            prepared.plan.steps,
            reports,
            metrics,
            output=prepared.output,
            runtime=handle.pool.runtime_name,
            seconds=time.monotonic() - start,
            again=_again(prepared, options),
            backend=prepared.backend,
            warnings=(*prepared.plan.warnings, *_runtime_warnings(options.runtime, handle.pool.runtime_name)),
            origin=_origin(workspace, lock, handle.pool.runtime_name),
        )
        lost = [name for report in reports if (name := lost_input(report.failure)) is not None]
        if metrics is None and METRICS in result.artifacts:
            lost.append(METRICS)
        if not lost or result.status == "interrupted":
            store.flush()  # what a finished build names is on the disk before the build says that it is finished
            result, gone = write_or_bare(recorder.directory, result, store)
            lost += gone
            if not lost:
                return with_files(recorder.directory, result)
        store.doubt()
        recorder.note(f"{lost[0]} is missing from the cache or corrupt; rerunning the step that produces it")
    places = places_of(result.artifacts.values(), {step: made.values() for step, made in result.by_step.items()})
    failed = with_lost_artifacts(result, places, lost)
    write_results(recorder.directory, failed, store)
    return with_files(recorder.directory, failed)
