"""Parses the address of a cluster from --cluster. Pure."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from bskernel.core.errors import ConfigError

QueueName: TypeAlias = Literal["slurm", "lsf", "pbs"]
QUEUES: tuple[QueueName, ...] = ("slurm", "lsf", "pbs")
FORMS = "local:N, tcp://HOST:PORT, tls://HOST:PORT, slurm, lsf, pbs"


class LocalAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Workers on this machine, for the duration of the run."""

    workers: int


class SchedulerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A running scheduler with its workers."""

    address: str


class QueueAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Workers that a batch system starts, for the duration of the run."""

    system: QueueName


ClusterAddress: TypeAlias = LocalAddress | SchedulerAddress | QueueAddress


def parse_address(text: str) -> ClusterAddress:
    """Parse the value of --cluster. Raises ConfigError that lists the valid forms."""
    if text in QUEUES:
        return QueueAddress(system=text)
    if match := re.fullmatch(r"local:([1-9][0-9]{0,3})", text):
        return LocalAddress(workers=int(match[1]))
    if re.fullmatch(r"(tcp|tls)://[^\s/]+:[0-9]+", text):
        return SchedulerAddress(address=text)
    raise ConfigError(f"--cluster {text!r}: not a cluster address", hint=f"forms: {FORMS}")
