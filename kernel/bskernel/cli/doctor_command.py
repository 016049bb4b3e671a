"""`bskernel doctor`."""

from __future__ import annotations

import os

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def doctor(as_json: bool) -> None:
    """Tell which tools, licences (never their values), engine and room there are, and which flows can run here.

    `bskernel bundle` packs the same for a report.
    """
    from bskernel_protocol import pretty_json

    from bskernel.application import Application
    from bskernel.doctor import describe, diagnose

    found = diagnose(Application.here(), os.environ)
    click.echo(pretty_json(found) if as_json else "\n".join(describe(found)), nl=not as_json)
