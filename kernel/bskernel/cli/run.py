"""`bskernel run`: one build."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bskernel.cli.ci_service import announce_build, junit_of_errors
from bskernel.cli.conclusion import INTERRUPTED
from bskernel.cli.options import JSON, JUNIT, BuildSelection, RunSelection, build_selection, run_selection
from bskernel.cli.output import has_cursor, print_note, print_result, write_text

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
    from bskernel.report.terminal import describe_outcome, describe_result
    from bskernel.workspace.workspace import Workspace

    options = msgspec.structs.replace(running.build_options(), with_inputs=with_inputs)
    workspace = Workspace.here()
    prepared = workspace.prepare(
        selection.config,
        settings=with_jobs(selection.settings, running.jobs),
        range_request=selection.range_request(),
        output=selection.output,
    )
    observer = _observer(running)
    if locked and (remark := require_lock(workspace, prepared)) is not None:
        observer.note(f"note: {remark}")
    result = run_build(workspace, prepared, observer, options=options)
    if running.quiet:
        for warning in result.warnings:
            observer.note(f"warning: {warning}")
    print_result(result, describe_outcome if running.quiet else describe_result, as_json=as_json)
    if result.status == "interrupted":
        print_note(INTERRUPTED)
    announce_build(result, selection.config)
    if junit is not None:
        from bskernel.report.junit import build_as_junit

        write_text(junit, build_as_junit(result))
    sys.exit(result.exit_code)


def _observer(running: RunSelection) -> Observer:
    from bskernel.report.terminal import LineObserver, WarningObserver

    if running.quiet:
        return WarningObserver()
    observer: Observer = LineObserver()
    if running.verbose:
        from bskernel.report.log import Log

        observer = Log.to_terminal()
    if has_cursor():
        from bskernel.report.progress import ProgressBar

        return observer if running.verbose else ProgressBar()
    from bskernel.core.observers import CompositeObserver
    from bskernel.report.heartbeat import HeartbeatObserver

    return CompositeObserver((observer, HeartbeatObserver(print_note)))
