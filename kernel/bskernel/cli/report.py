"""`bskernel report`: a page about a build or a sweep."""

from __future__ import annotations

from pathlib import Path

import click

from bskernel.cli.build_argument import is_configuration, or_found_build
from bskernel.cli.candidates import complete_build
from bskernel.cli.options import MAXIMIZE, MINIMIZE, OUTPUT_FILE, PATH, REQUIRE
from bskernel.cli.output import echo, print_note, write_text
from bskernel.core.errors import ConfigError


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build)
@click.option(
    "--against",
    "base",
    metavar="BASE",
    type=PATH,
    shell_complete=complete_build,
    help="Also show what changed since the build BASE, e.g. --against build/main.",
)
@MAXIMIZE
@MINIMIZE
@REQUIRE
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@OUTPUT_FILE
def report(
    build: Path | None,
    base: Path | None,
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    require: tuple[str, ...],
    opens: bool,
    output: Path | None,
) -> None:
    """Write a page about a build or a sweep: how fast it is, and why.

    BUILD is the directory of a build or of a sweep, by default that of the current folder's build.toml, or else of
    its sweep.toml. The page is BUILD/report.html, or the file of --output: one HTML file that needs no network. The
    next build in BUILD removes the page.

    Of a sweep, the page shows the recommendation, the Pareto set and all points, and the pages of its points are
    written too. --maximize and --minimize replace the objectives of its [sweep] table, --require its conditions.
    """
    from bskernel.result.report_file import REPORT, read_report
    from bskernel.sweeps.results.sweep_file import is_sweep

    directory = build if build is not None and not is_configuration(build) else _found(build)
    sweep = is_sweep(directory)
    if base is not None:
        base = or_found_build(base)
    if sweep and base is not None:
        raise ConfigError(f"--against: {directory} is a sweep", hint="compare two of its points")
    if not sweep and (maximize or minimize or require):
        raise ConfigError(
            f"--maximize, --minimize and --require are for a sweep, and {directory} is none",
            hint="name the output directory of `bskernel sweep`",
        )
    file = output
    if file is None:
        folder = directory if directory.is_dir() else directory.parent
        file = folder / REPORT
        if file.exists() and read_report(folder) is None:
            hint = "move it, or name another file with --output"
            raise ConfigError(f"{file} is not a page that bskernel wrote", hint=hint)
    if sweep:
        from bskernel.commands.sweep_report import write_sweep_report

        text = write_sweep_report(directory, file, maximize=maximize, minimize=minimize, require=require)
    else:
        from bskernel.commands.report import write_report

        text = write_report(directory, file, base)
    write_text(file, text)
    echo(str(file))
    if opens:
        import webbrowser

        webbrowser.open(file.absolute().as_uri())


def _found(config: Path | None) -> Path:
    """The build directory of a configuration or of the current folder, or else its sweep's, with a note which.

    Raises ConfigError.
    """
    from bskernel.workspace.project_folder import find_sweep

    try:
        return or_found_build(config)
    except ConfigError:
        try:
            found = find_sweep(config)
        except ConfigError:
            found = None
        if found is None:
            raise
        print_note(f"sweep: {found}")
        return found
