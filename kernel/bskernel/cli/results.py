"""`bskernel results`: what a sweep came to, judged again."""

from __future__ import annotations

from pathlib import Path

import click

from bskernel.core.errors import ConfigError

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("sweep", metavar="SWEEP", type=click.Path(path_type=Path))
@click.option("--maximize", multiple=True, metavar="METRIC", help="More of it is better, such as throughput.")
@click.option("--minimize", multiple=True, metavar="METRIC", help="Less of it is better, such as LUT@synth.")
@click.option("--require", multiple=True, metavar="CONDITION", help="What points must keep: utilization.LUT < 0.8.")
@click.option("--csv", "csv_file", type=_FILE, metavar="FILE", help="Write all points as CSV.")
@click.option("--parquet", "parquet_file", type=_FILE, metavar="FILE", help="Write them as Parquet.")
@click.option("--plot", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write plots there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def results(
    sweep: Path,
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    require: tuple[str, ...],
    csv_file: Path | None,
    parquet_file: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show the points of SWEEP, its Pareto set, the best points and a recommendation; nothing runs.

    SWEEP is the output directory of `bskernel sweep`, also of one that was interrupted. Without --maximize and
    --minimize the sweep's own objectives count, without --require its own conditions.
    """
    from bskernel_protocol import pretty_json

    import bskernel
    from bskernel.sweeps.analysis.columns import as_csv
    from bskernel.sweeps.report.text import as_text

    found = bskernel.results(sweep, maximize=maximize, minimize=minimize, require=require)
    if csv_file is not None:
        _write(csv_file, as_csv(found.table))
    if parquet_file is not None:
        from bskernel.sweeps.report.parquet import write_parquet

        write_parquet(found.table, parquet_file)
    written: tuple[Path, ...] = ()
    if plot is not None:
        from bskernel.sweeps.report.renderer import write_plots

        written = write_plots(found.table, found.outcome, plot)
    click.echo(pretty_json(found) if as_json else as_text(found), nl=False)
    for path in (*(file for file in (csv_file, parquet_file) if file is not None), *written):
        click.echo(f"written: {path}", err=True)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
