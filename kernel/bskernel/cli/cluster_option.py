"""The option that says on which cluster steps are carried out."""

from __future__ import annotations

import click

CLUSTER = click.option(
    "--cluster",
    metavar="WHERE",
    help="Carry out steps with Dask: local:N (workers here), tcp://HOST:PORT (a scheduler), slurm, lsf or pbs.",
)
