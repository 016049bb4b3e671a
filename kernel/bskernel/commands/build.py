"""A build from its beginning to its end."""

from __future__ import annotations

import time

from bskernel.core.interfaces import Store
from bskernel.core.observers import Observer
from bskernel.execution.plan_run import run_plan
from bskernel.flow.snapshot import snapshot_config
from bskernel.result.build_directory import BUILD_LOG, BuildDirectory
from bskernel.result.build_result import BuildResult, metrics_of
from bskernel.result.recorder import RecordingObserver
from bskernel.workspace.worker_pools import PoolHandle
from bskernel.workspace.workspace import PreparedBuild, Workspace


def run_build(
    workspace: Workspace,
    prepared: PreparedBuild,
    *,
    runtime: str,
    observer: Observer,
    fresh: bool = False,
    keep_s: float | None = None,
    cluster: str | None = None,
) -> BuildResult:
    """Carry out a plan, here or on a cluster, and write the build directory; sessions are kept for `keep_s`."""
    from bskernel.report.log import Log

    began = time.monotonic()
    directory = BuildDirectory(prepared.output)
    directory.open()
    with (prepared.output / BUILD_LOG).open("w", encoding="utf-8", buffering=1) as log:
        noting = RecordingObserver((Log.to_file(log), observer), directory)
        for line in prepared.backend.lines if prepared.backend else ():
            noting.note(line)
        if prepared.without_points:
            noting.note(f"this builds {prepared.loaded.path.name} alone; `bskernel sweep` builds its points")
        noting.planned(prepared.plan.steps)
        try:
            directory.write_config(snapshot_config(prepared.loaded))
            with (
                workspace.open_store(prepared.loaded, noting.note) as opened,
                workspace.pool(
                    prepared.loaded,
                    opened.store,
                    runtime=runtime,
                    note=noting.note,
                    share=not fresh,
                    keep_s=keep_s,
                    cluster=cluster,
                ) as handle,
            ):
                result = _carried_out(workspace, prepared, opened.store, handle, noting, fresh=fresh, began=began)
                if result.status == "interrupted":
                    opened.leave_pending()
        finally:
            workspace.files.save()
            directory.close()
            noting.over()
    return result


def _carried_out(
    workspace: Workspace,
    prepared: PreparedBuild,
    store: Store,
    handle: PoolHandle,
    noting: RecordingObserver,
    *,
    fresh: bool,
    began: float,
) -> BuildResult:
    from bskernel.result.result_writer import summarize, write_results

    for attempt in range(2):
        reports = run_plan(
            prepared.plan,
            store,
            handle.pool,
            noting,
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
            seconds=time.monotonic() - began,
            backend=prepared.backend,
        )
        damaged = write_results(noting.directory, result, store, whole=attempt == 0)
        if not damaged:
            break
        # Its bytes were not looked at until now; found damaged, they are gone, and what made them runs.
        noting.note(f"{damaged[0]} is gone from the cache, or damaged: what makes it is carried out again")
    return result
