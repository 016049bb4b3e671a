"""`bskernel doctor`."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Write what a report needs here, redacted (tar.gz).")
@click.option(
    "--build", type=click.Path(path_type=Path), help="With --bundle: the build directory to take logs from."
)
def doctor(as_json: bool, bundle: Path | None, build: Path | None) -> None:
    """Tell which tools, licences (never their values), engine and room there are, and which flows can run here."""
    from bskernel_protocol import pretty_json

    from bskernel.application import Application
    from bskernel.doctor import describe, diagnose, write_bundle

    found = diagnose(Application.here(), os.environ)
    if as_json:
        click.echo(pretty_json(found), nl=False)
    else:
        click.echo("\n".join(describe(found)))
    if bundle is not None:
        names = write_bundle(bundle, found, os.environ, build)
        click.echo(f"wrote {bundle}: {len(names)} files; look at them before you send them", err=True)
