"""`bskernel sweep`: many builds of one configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.cluster_option import CLUSTER, alone
from bskernel.cli.options import (
    CONFIG,
    FRESH,
    INTERRUPTED,
    JOBS,
    JSON,
    RUNTIME,
    SET,
    VERBOSE,
    has_cursor,
)
from bskernel.cli.range_options import RangeOptions, range_options
from bskernel.cli.warm import KEEP_WARM

if TYPE_CHECKING:
    from bskernel.sweeps.report.observers import SweepObserver
    from bskernel.sweeps.results.sweep_result import SweepResult


@click.command()
@CONFIG
@RUNTIME
@range_options
@SET
@click.option("--output", type=click.Path(path_type=Path), help="The sweep's directory; build/NAME-sweep by default.")
@VERBOSE
@JOBS
@FRESH
@KEEP_WARM
@CLUSTER
@JSON
def sweep(
    config: Path,
    runtime: str,
    range_request: RangeOptions,
    settings: tuple[str, ...],
    output: Path | None,
    verbose: bool,
    jobs: int | None,
    fresh: bool,
    keep_warm: float | None,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Build every point of CONFIG's [sweep]; what points share is done once, and what was made before is recalled.

    A point is a build: OUTPUT/points/NAME. A point that fails leaves the others alone. Exit code 3 when one failed.
    """
    from bskernel.config.assignments import with_jobs
    from bskernel.sweeps.execution.preparation import prepare_sweep
    from bskernel.sweeps.execution.sweep import Options, run_sweep
    from bskernel.workspace.workspace import Workspace

    alone(cluster, keep_warm)
    workspace = Workspace.here()
    prepared = prepare_sweep(
        workspace, config, settings=with_jobs(settings, jobs), range_request=range_request.as_range_request()
    )
    options = Options(runtime=runtime, fresh=fresh, keep_s=keep_warm, cluster=cluster)
    result = run_sweep(workspace, prepared, _observer(verbose=verbose), output=output, options=options)
    _show(result, as_json=as_json)
    if result.status == "interrupted":
        click.echo(INTERRUPTED, err=True)
    sys.exit(result.exit_code)


def _show(result: SweepResult, *, as_json: bool) -> None:
    """Raises ConfigError for an objective or a condition that names what no point has."""
    from bskernel_protocol import pretty_json

    import bskernel
    from bskernel.sweeps.report.text import as_text, effort_text

    # An objective that no point has does not undo what was built.
    try:
        text = as_text(bskernel.results(result))
        if not as_json:
            click.echo(text, nl=False)
    finally:
        click.echo(pretty_json(result) if as_json else effort_text(result), nl=not as_json)


def _observer(*, verbose: bool) -> SweepObserver:
    from bskernel.sweeps.report.observers import SweepLines, SweepLog

    if verbose:
        return SweepLog.to_terminal()
    if has_cursor():
        from bskernel.sweeps.report.progress_bar import SweepBar

        return SweepBar()
    return SweepLines()
