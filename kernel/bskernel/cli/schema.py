"""`bskernel schema`: JSON Schemas."""

from __future__ import annotations

import click

from bskernel.cli.output import echo


@click.command()
@click.argument("what", type=click.Choice(["config", "protocol"]))
def schema(what: str) -> None:
    """Print the JSON Schema of build.toml or of the protocol."""
    from bskernel_protocol import pretty_json
    from bskernel_protocol.schema import protocol_schema

    from bskernel.config.reader import config_schema

    echo(config_schema() if what == "config" else pretty_json(protocol_schema()), nl=False)
