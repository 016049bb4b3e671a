"""`bskernel replay`: one step of a build, alone."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bskernel.cli.build_argument import build_and_step
from bskernel.cli.candidates import complete_build_or_step, complete_build_step
from bskernel.cli.options import PATH, RUNTIME
from bskernel.cli.output import print_note, refuse_link
from bskernel.core.errors import EXIT_STEP_FAILED, ConfigError


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build_or_step)
@click.argument("step", required=False, shell_complete=complete_build_step)
@RUNTIME
@click.option(
    "--into",
    type=PATH,
    metavar="DIR",
    help="Directory for the step directory. Default: replay.",
)
def replay(build: Path | None, step: str | None, runtime: str, into: Path | None) -> None:
    """Run one step of a build again, alone, and keep its directory.

    BUILD is a build directory, by default that of the current folder's build.toml; STEP is a name or an index, by
    default the step that failed. The step gets the same inputs and parameters as in the build, and its output goes to
    the terminal. The exit code is 3 if the step fails.
    """
    from bskernel.commands import replay as replay_command
    from bskernel.workspace.workspace import Workspace

    directory, step = build_and_step(build, step)
    step = step or _failed_step(directory)
    if into is None:
        refuse_link(into := Path("replay"))
    workspace = Workspace.here()
    code = replay_command.replay(workspace, directory, step, into.resolve(), runtime=runtime, report=print_note)
    sys.exit(EXIT_STEP_FAILED if code else 0)


def _failed_step(build: Path) -> str:
    from bskernel.result.build_result import BuildResult
    from bskernel.result.result_file import read_result

    failed = read_result(build, BuildResult).failed_step
    if failed is None:
        raise ConfigError(f"{build}: no step failed", hint="name a step; `bskernel explain` lists them")
    return failed
