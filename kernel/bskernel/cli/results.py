"""`bskernel results`: the points of a finished sweep."""

from __future__ import annotations

from pathlib import Path

import click

from bskernel.cli.candidates import complete_build
from bskernel.cli.options import JSON, MAXIMIZE, MINIMIZE, PATH, REQUIRE
from bskernel.cli.output import print_note, print_result, refuse_link, write_text

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("sweep", metavar="[SWEEP]", type=PATH, required=False, shell_complete=complete_build)
@MAXIMIZE
@MINIMIZE
@REQUIRE
@click.option("--csv", "csv_file", type=_FILE, metavar="FILE", help="Write all points as CSV.")
@click.option("--parquet", "parquet_file", type=_FILE, metavar="FILE", help="Write all points as Parquet.")
@click.option("--plot", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write plots to DIR.")
@JSON
def results(
    sweep: Path | None,
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    require: tuple[str, ...],
    csv_file: Path | None,
    parquet_file: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show a sweep's points, Pareto set and recommendation.

    SWEEP is the output directory of `bskernel sweep`, by default that of the current folder's sweep.toml or
    build.toml; the sweep may have been interrupted. Nothing is executed.
    --maximize and --minimize replace the objectives of its [sweep] table, --require replaces its conditions.
    """
    import bskernel
    from bskernel.sweeps.analysis.columns import as_csv
    from bskernel.sweeps.report.text import as_text
    from bskernel.sweeps.results.sweep_file import find_altered_sweep

    if sweep is None:
        from bskernel.workspace.project_folder import find_sweep

        sweep = find_sweep()
        print_note(f"sweep: {sweep}")
    found = bskernel.results(sweep, maximize=maximize, minimize=minimize, require=require)
    if csv_file is not None:
        write_text(csv_file, as_csv(found.table))
    if parquet_file is not None:
        from bskernel.sweeps.report.parquet import write_parquet

        refuse_link(parquet_file)
        write_parquet(found.table, parquet_file)
    written: tuple[Path, ...] = ()
    if plot is not None:
        from bskernel.sweeps.report.renderer import write_plots

        written = write_plots(found.table, found.outcome, plot)
    print_result(found, as_text, as_json=as_json)
    for line in find_altered_sweep(sweep):
        print_note(f"changed since the sweep: {line}")
    for path in (*(file for file in (csv_file, parquet_file) if file is not None), *written):
        print_note(f"written: {path}")
