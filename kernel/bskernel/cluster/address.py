"""The address of a cluster, as --cluster gives it. Pure."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from bskernel.core.errors import ConfigError

QueueName: TypeAlias = Literal["slurm", "lsf", "pbs"]
QUEUES: tuple[QueueName, ...] = ("slurm", "lsf", "pbs")
FORMS = "local:N, tcp://HOST:PORT, tls://HOST:PORT, slurm, lsf, pbs"


class LocalAddress(msgspec.Struct, frozen=True, kw_only=True):
    """So many workers on this machine, for the length of the run."""

    workers: int


class SchedulerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduler that runs, with the workers that it has."""

    address: str


class QueueAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Workers that a batch system starts, for the length of the run."""

    system: QueueName


Place: TypeAlias = LocalAddress | SchedulerAddress | QueueAddress


def parse_address(text: str) -> Place:
    """Parse what --cluster says. Raises ConfigError with the forms."""
    if text in QUEUES:
        return QueueAddress(system=text)
    if found := re.fullmatch(r"local:([1-9][0-9]{0,3})", text):
        return LocalAddress(workers=int(found[1]))
    if re.fullmatch(r"(tcp|tls)://[^\s/]+:[0-9]+", text):
        return SchedulerAddress(address=text)
    raise ConfigError(f"--cluster {text!r}: there is no such place", hint=f"give one of {FORMS}")
