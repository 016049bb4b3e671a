"""`bskernel doctor`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bskernel.cli.explain_bundle import bundle
from bskernel.core.errors import ConfigError


@click.command()
@click.argument("build", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
@click.option(
    "--bundle", "as_bundle", is_flag=True, help="Pack it for a report, with a BUILD directory if one is named."
)
@click.option("--output", type=click.Path(path_type=Path), help="With --bundle: the file to write.")
@click.pass_context
def doctor(context: click.Context, build: Path | None, as_json: bool, as_bundle: bool, output: Path | None) -> None:
    """Tell which tools, licences (never their values), engine and room there are, and which flows can run here.

    With --bundle it packs the same for a report, as `bskernel bundle` does, without what is private.
    """
    if as_bundle:
        if as_json:
            raise ConfigError("--json and --bundle: give one of them", hint="the bundle holds machine.json")
        context.invoke(bundle, build=build, output=output)
        return
    if build is not None or output is not None:
        raise ConfigError("doctor tells of the machine: BUILD and --output go with --bundle")
    from bskernel_protocol import pretty_json

    from bskernel.commands.doctor import describe, diagnose
    from bskernel.workspace.workspace import Workspace

    found = diagnose(Workspace.here(), os.environ)
    click.echo(pretty_json(found) if as_json else "\n".join(describe(found)), nl=not as_json)
