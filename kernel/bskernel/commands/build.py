"""Runs one build, from its plan to its build directory."""

from __future__ import annotations

import time

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.observers import Observer
from bskernel.core.places import build_place, cache_place, within
from bskernel.execution.plan_run import run_plan
from bskernel.flow.snapshot import snapshot_config
from bskernel.result.build_directory import BUILD_LOG, BuildDirectory
from bskernel.result.build_result import BuildResult, metrics_of
from bskernel.result.recorder import RecordingObserver
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.worker_pools import PoolHandle
from bskernel.workspace.workspace import PreparedBuild, Workspace


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
        directory = BuildDirectory(prepared.output)
        if prepared.default_output:
            directory.check_writer(prepared.loaded.path)
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
    with (prepared.output / BUILD_LOG).open("w", encoding="utf-8", buffering=1) as log:
        recorder = RecordingObserver((Log.to_file(log), observer), directory)
        for line in prepared.backend.lines if prepared.backend else ():
            recorder.note(line)
        if prepared.without_points:
            recorder.note(f"{prepared.loaded.path.name}: [sweep] is ignored; `bskernel sweep` builds its points")
        for warning in prepared.plan.warnings:
            recorder.note(f"warning: {warning}")
        recorder.planned(prepared.plan.steps)
        try:
            directory.note_writer(prepared.loaded.path)
            directory.write_config(snapshot_config(prepared.loaded))
            with (
                workspace.open_store(prepared.loaded, recorder.note) as opened,
                workspace.pool(prepared.loaded, opened.store, options, note=recorder.note) as handle,
            ):
                result = _run_and_write(
                    workspace, prepared, opened.store, handle, recorder, fresh=options.fresh, start=start
                )
                if result.status == "interrupted":
                    opened.leave_pending()
        finally:
            workspace.files.save()
            recorder.over()
    return result


def _run_and_write(
    workspace: Workspace,
    prepared: PreparedBuild,
    store: Store,
    handle: PoolHandle,
    recorder: RecordingObserver,
    *,
    fresh: bool,
    start: float,
) -> BuildResult:
    from bskernel.result.result_writer import summarize, write_results

    for attempt in range(2):
        reports = run_plan(
            prepared.plan,
            store,
            handle.pool,
            recorder,
            limits=handle.limits,
            salt=prepared.loaded.config.build.salt,
            fresh=fresh,
            entry_of=workspace.entry,
        )
        result = summarize(
            prepared.loaded,
            prepared.plan.steps,
            reports,
            metrics_of(reports, store),
            output=prepared.output,
            runtime=handle.pool.runtime_name,
            seconds=time.monotonic() - start,
            backend=prepared.backend,
            warnings=prepared.plan.warnings,
        )
        damaged = write_results(recorder.directory, result, store, whole=attempt == 0)
        if not damaged:
            break
        # A recall does not read the bytes of artifacts. Reading has now removed corrupt ones, so their steps run.
        recorder.note(f"{damaged[0]} is missing from the cache or corrupt; rerunning the step that produces it")
    return result
