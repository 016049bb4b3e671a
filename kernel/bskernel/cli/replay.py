"""`bskernel replay`: one step of a build, alone."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bskernel.cli.options import PATH, RUNTIME
from bskernel.cli.output import print_note, refuse_link
from bskernel.core.errors import EXIT_STEP_FAILED


@click.command()
@click.argument("build", type=PATH)
@click.argument("step")
@RUNTIME
@click.option(
    "--into",
    type=PATH,
    metavar="DIR",
    help="Directory for the step directory. Default: replay.",
)
def replay(build: Path, step: str, runtime: str, into: Path | None) -> None:
    """Run one step of a build again, alone, and keep its directory.

    BUILD is a build directory, STEP a name or an index. The step gets the same inputs and parameters as in the build,
    and its output goes to the terminal. The exit code is 3 if the step fails.
    """
    from bskernel.commands import replay as replay_command
    from bskernel.workspace.workspace import Workspace

    if into is None:
        refuse_link(into := Path("replay"))
    code = replay_command.replay(Workspace.here(), build, step, into.resolve(), runtime=runtime, report=print_note)
    sys.exit(EXIT_STEP_FAILED if code else 0)
