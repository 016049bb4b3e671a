"""`bskernel builds list | find | show`: the builds of the past."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.build_argument import or_found_build
from bskernel.cli.candidates import complete_build, complete_executor
from bskernel.cli.options import JSON, PATH
from bskernel.cli.output import print_result
from bskernel.cli.units import since as since_when
from bskernel.cli.units import until as until_when

if TYPE_CHECKING:
    from bskernel.history.past_build import History

_PLACES = click.argument("places", metavar="[FOLDER]...", type=PATH, nargs=-1, shell_complete=complete_build)
_STATUSES = ("ok", "stopped", "failed", "interrupted")


@click.group()
def builds() -> None:
    """List, find and show builds of the past.

    A build directory says all of it; points of sweeps are builds, too. Nothing is executed, and nothing is written.
    """


def _history(places: tuple[Path, ...]) -> History:
    from bskernel.history.reader import read_history

    return read_history(places or (Path(),))


@builds.command("list")
@_PLACES
@JSON
def list_(places: tuple[Path, ...], as_json: bool) -> None:
    """List all builds in and below folders, the newest first.

    FOLDER is by default the current folder; hidden folders and links are left out. A directory whose result cannot
    be read is listed with the reason.
    """
    from bskernel.history.text import describe_history

    print_result(_history(places), describe_history, as_json=as_json)


@builds.command()
@_PLACES
@click.option(
    "--model",
    metavar="MODEL",
    help="Built from this model: its path, its name, or at least 6 digits of its SHA-256.",
)
@click.option(
    "--executor",
    "executors",
    multiple=True,
    metavar="EXECUTOR",
    shell_complete=complete_executor,
    help="Ran with NAME, NAME@VERSION, or the executor of this digest. Repeatable: with all of them.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Condition on metrics that holds, e.g. 'throughput > 1000'. Repeatable: all hold.",
)
@click.option("--since", type=since_when, metavar="WHEN", help="Ended then or later: a date, e.g. 2026-11-29, or 7d.")
@click.option("--until", type=until_when, metavar="WHEN", help="Ended then or earlier; a date is its whole day.")
@click.option("--status", type=click.Choice(_STATUSES), help="Ended so.")
@JSON
def find(
    places: tuple[Path, ...],
    model: str | None,
    executors: tuple[str, ...],
    where: tuple[str, ...],
    since: dt.datetime | None,
    until: dt.datetime | None,
    status: str | None,
    as_json: bool,
) -> None:
    """Find builds by model, executor, metrics, date and status.

    Shows the builds in and below FOLDER, by default the current folder, for which all of the options are true, and
    the numbers that the conditions name. A quantity is taken at the stage that is named, as in LUT@synth, else at the
    latest stage of each build. Builds that lack a number are listed apart.
    """
    from bskernel.history.query import Query, select
    from bskernel.history.text import describe_history

    query = Query(model=model, executors=executors, where=where, since=since, until=until, status=status)
    found = select(_history(places), query)
    print_result(found, lambda history: describe_history(history, where), as_json=as_json)


@builds.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build)
@JSON
def show(build: Path | None, as_json: bool) -> None:
    """Show one build: model, executors, configuration, metrics.

    Also its steps, whether the cache of this machine still has their results, and its artifacts with their digests.
    BUILD is by default that of the current folder's build.toml.
    """
    from bskernel.history.reader import describe_build
    from bskernel.history.text import describe_build as as_text
    from bskernel.workspace.workspace import Workspace

    print_result(describe_build(or_found_build(build), Workspace.here().store), as_text, as_json=as_json)
