"""The option that says on which cluster steps are carried out."""

from __future__ import annotations

import click

from bskernel.core.errors import ConfigError

CLUSTER = click.option(
    "--cluster",
    metavar="WHERE",
    help="Carry out steps with Dask: local:N (workers here), tcp://HOST:PORT (a scheduler), slurm, lsf or pbs.",
)


def alone(cluster: str | None, keep_warm: float | None) -> None:
    """Raises ConfigError when sessions of this machine are to be kept, and none would be started on it."""
    if cluster is not None and keep_warm is not None:
        raise ConfigError(
            "--cluster and --keep-warm: give one of them", hint="a cluster's workers keep their sessions"
        )
