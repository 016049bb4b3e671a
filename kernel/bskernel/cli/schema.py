"""`bskernel schema`: JSON Schemas."""

from __future__ import annotations

import click

from bskernel.cli.output import echo


@click.command()
@click.argument("what", type=click.Choice(["config", "result", "metrics", "lock", "protocol"]))
def schema(what: str) -> None:
    """Print the JSON Schema of build.toml, results or locks.

    WHAT is config (build.toml), result (result.json), metrics (metrics.json), lock (build.lock) or protocol.
    """
    from bskernel_protocol import pretty_json
    from bskernel_protocol.schema import protocol_schema

    from bskernel.config.reader import config_schema
    from bskernel.result.result_schema import lock_schema, metrics_schema, result_schema

    if what == "config":
        echo(config_schema(), nl=False)
        return
    schemas = {"result": result_schema, "metrics": metrics_schema, "lock": lock_schema, "protocol": protocol_schema}
    echo(pretty_json(schemas[what]()), nl=False)
