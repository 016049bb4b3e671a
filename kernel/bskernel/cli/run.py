"""`bskernel run`: one build."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import click

from bskernel.cli.ci_service import announce_build, junit_of_errors
from bskernel.cli.conclusion import INTERRUPTED
from bskernel.cli.options import JSON, JUNIT, BuildSelection, RunSelection, build_selection, run_selection
from bskernel.cli.output import has_cursor, has_reader, print_note, print_result, print_summary, write_text
from bskernel.cli.unchanged_record import trace

if TYPE_CHECKING:
    from pathlib import Path

    from bskernel.core.observers import Observer


@click.command()
@build_selection
@run_selection
@JSON
@JUNIT
@click.option("--locked", is_flag=True, help="Build exactly what the lock beside CONFIG says, or refuse.")
@click.option("--with-inputs", is_flag=True, help="Copy the model and every given file into the build directory.")
@junit_of_errors("bskernel run")
def run(
    selection: BuildSelection,
    running: RunSelection,
    as_json: bool,
    junit: Path | None,
    locked: bool,
    with_inputs: bool,
) -> None:
    """Build the accelerator of CONFIG; unchanged steps are recalled.

    CONFIG is by default the build.toml of the current folder. It may be the config.json of a build directory, which
    is then built again. A step is recalled from the cache when nothing that it reads has changed.
    """
    import msgspec

    from bskernel.commands.build import run_build
    from bskernel.commands.lock import require_lock
    from bskernel.config.assignments import with_jobs
    from bskernel.core.observers import CompositeObserver
    from bskernel.report.terminal import describe_outcome, describe_result
    from bskernel.workspace.workspace import Workspace

    seen = trace(running, as_json, junit, locked, with_inputs)
    options = msgspec.structs.replace(running.build_options(), with_inputs=with_inputs)
    workspace = Workspace.here()
    prepared = workspace.prepare(
        selection.config,
        settings=with_jobs(selection.settings, running.jobs),
        range_request=selection.range_request(),
        output=selection.output,
    )
    observer = _observer(running, workspace.cache, prepared.loaded.name)
    if seen is not None:
        observer = CompositeObserver((observer, seen.until_a_step_runs()))
    if locked:
        held = require_lock(workspace, prepared, options.runtime, observer.note)
        options = msgspec.structs.replace(options, images=held.images)
        for remark in held.remarks:
            observer.note(f"note: {remark}")
    result = run_build(workspace, prepared, observer, options=options)
    if running.quiet:
        for warning in result.warnings:
            observer.note(f"warning: {warning}")
    if has_reader() and not (running.quiet or as_json):
        from bskernel.report.result_summary import summary_lines

        print_summary(functools.partial(summary_lines, result))
    else:
        print_result(result, describe_outcome if running.quiet else describe_result, as_json=as_json)
    if result.status == "interrupted":
        print_note(INTERRUPTED)
    announce_build(result, selection.config)
    if junit is not None:
        from bskernel.report.junit import build_as_junit

        write_text(junit, build_as_junit(result))
    if seen is not None:
        seen.record(workspace, prepared, result, selection.config)
    sys.exit(result.exit_code)


def _observer(running: RunSelection, cache: Path, build: str) -> Observer:
    from bskernel.report.terminal import LineObserver, WarningObserver

    if running.quiet:
        return WarningObserver()
    observer: Observer = LineObserver()
    if running.verbose:
        from bskernel.report.log import Log

        observer = Log.to_terminal()
    if has_cursor():
        from bskernel.report.board import LiveBoard
        from bskernel.report.step_durations import StepDurations

        return observer if running.verbose else LiveBoard(StepDurations(cache, build))
    from bskernel.core.observers import CompositeObserver
    from bskernel.report.heartbeat import HeartbeatObserver

    return CompositeObserver((observer, HeartbeatObserver(print_note)))
