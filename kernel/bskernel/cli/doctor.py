"""`bskernel doctor`: what this machine has."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bskernel.cli.bundle import bundle
from bskernel.cli.candidates import complete_build
from bskernel.cli.options import JSON, OUTPUT_FILE, PATH
from bskernel.cli.output import print_result
from bskernel.core.errors import ConfigError


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build)
@JSON
@click.option("--bundle", "as_bundle", is_flag=True, help="Pack the output into an archive, like `bskernel bundle`.")
@OUTPUT_FILE
@click.pass_context
def doctor(context: click.Context, build: Path | None, as_json: bool, as_bundle: bool, output: Path | None) -> None:
    """Check tools, licences, Docker and disk space on this machine.

    Also lists the flows that can run here, and what the others need. The values of licence variables are not shown.
    BUILD and --output only go with --bundle.
    """
    if as_bundle:
        if as_json:
            raise ConfigError("--json and --bundle: give one of them", hint="the bundle contains machine.json")
        context.invoke(bundle, build=build, output=output)
        return
    if build is not None or output is not None:
        raise ConfigError("BUILD and --output need --bundle", hint="bskernel doctor --bundle BUILD")
    from bskernel.commands.doctor import describe, diagnose
    from bskernel.workspace.workspace import Workspace

    found = diagnose(Workspace.here(), os.environ)
    print_result(found, lambda found: "\n".join(describe(found)), as_json=as_json)
