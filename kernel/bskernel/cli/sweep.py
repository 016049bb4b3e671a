"""`bskernel sweep`: many builds of one configuration."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import click

from bskernel.cli.ci_service import announce_text, junit_of_errors
from bskernel.cli.conclusion import INTERRUPTED
from bskernel.cli.options import JSON, JUNIT, BuildSelection, RunSelection, build_selection, run_selection
from bskernel.cli.output import (
    echo,
    has_cursor,
    has_reader,
    print_note,
    print_result,
    print_summary,
    write_text,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bskernel.config import Loop
    from bskernel.sweeps.report.observers import SweepObserver
    from bskernel.sweeps.results.sweep_result import SweepResult


@click.command()
@build_selection
@run_selection
@JSON
@JUNIT
@junit_of_errors("bskernel sweep")
def sweep(selection: BuildSelection, running: RunSelection, as_json: bool, junit: Path | None) -> None:
    """Build every point of CONFIG's [sweep]; shared steps run once.

    CONFIG is by default sweep.toml, or else build.toml, of the current folder. Each point is a build in
    OUTPUT/points/NAME. If a point fails, the others go on, and the exit code is 3. Run the
    command again to continue an interrupted sweep: finished steps are recalled.
    """
    from bskernel.config.assignments import with_jobs
    from bskernel.sweeps.execution.preparation import prepare_sweep
    from bskernel.sweeps.execution.sweep import run_sweep
    from bskernel.workspace.workspace import Workspace

    options = running.build_options()
    workspace = Workspace.here()
    prepared = prepare_sweep(
        workspace,
        selection.config,
        settings=with_jobs(selection.settings, running.jobs),
        range_request=selection.range_request(),
    )
    observer = make_observer(running, workspace.cache, prepared.loaded.name)
    result = run_sweep(workspace, prepared, observer, output=selection.output, options=options)
    _show(result, prepared.loop, as_json=as_json, quiet=running.quiet)
    if result.status == "interrupted":
        print_note(INTERRUPTED)
    if junit is not None:
        from bskernel.sweeps.report.junit import sweep_as_junit

        write_text(junit, sweep_as_junit(result.table))
    sys.exit(result.exit_code)


def _show(result: SweepResult, loop: Loop | None, *, as_json: bool, quiet: bool) -> None:
    """Raises ConfigError for an objective or a condition on a metric that no point has."""
    import bskernel
    from bskernel.sweeps.report.text import as_text, effort_text, outcome_text, repetition_text

    # A wrong objective must not hide what was built.
    told = False
    try:
        results = bskernel.results(result)
        text = repetition_text(result, loop) if loop is not None else as_text(results)
        if has_reader() and loop is None and not as_json and not quiet:
            from bskernel.sweeps.report.sweep_summary import sweep_lines

            print_summary(functools.partial(sweep_lines, results, result))
            told = True
        elif not as_json and not quiet:
            echo(text, nl=False)
        announce_text(f"sweep {result.table.name}: {result.status}", text)
    finally:
        if not told:
            print_result(result, outcome_text if quiet else effort_text, as_json=as_json)


def make_observer(running: RunSelection, cache: Path, build: str) -> SweepObserver:
    """Make what a user follows a sweep by."""
    from bskernel.sweeps.report.observers import (
        CompositeSweepObserver,
        SweepHeartbeat,
        SweepLines,
        SweepLog,
        SweepWarnings,
    )

    if running.quiet:
        return SweepWarnings()
    if has_cursor() and not running.verbose:
        from bskernel.report.step_durations import StepDurations
        from bskernel.sweeps.report.board import SweepBoard

        return SweepBoard(StepDurations(cache, build))
    observer = SweepLog.to_terminal() if running.verbose else SweepLines()
    return observer if has_cursor() else CompositeSweepObserver((observer, SweepHeartbeat(print_note)))
