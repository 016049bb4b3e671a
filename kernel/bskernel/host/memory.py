"""The memory of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_MEMINFO = Path("/proc/meminfo")


class MachineMemory(NamedTuple):
    """Memory in KiB: what new programs can have without swapping, and all that there is."""

    available: int
    total: int


def read_memory() -> MachineMemory | None:
    """The machine's memory; None where the system does not say (proc(5), meminfo)."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        found = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return MachineMemory(available=found["MemAvailable"], total=found["MemTotal"])
    except (OSError, ValueError, KeyError, IndexError):
        return None
