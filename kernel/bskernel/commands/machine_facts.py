"""Facts about this machine: operating system, Docker engine, free disk and memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.host.memory import read_memory
from bskernel.images.engine import connect, facts_of


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Free bytes on the disk of the cache, and available memory in bytes; they change from call to call."""

    cache: str
    disk_free: int
    memory_available: int | None


def engine_facts() -> dict[str, Any]:
    """Version and settings of the Docker engine, or under `none` the reason why none can be used."""
    try:
        client = connect()
    except EnvironmentLacking as error:
        return {"none": error.message}
    info = client.info()
    client.close()
    return facts_of(info)


def room(cache: Path) -> Room:
    """Free disk space and memory for `cache`, which need not exist yet."""
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    memory = read_memory()
    available = memory.available * 1024 if memory is not None else None
    return Room(cache=str(cache), disk_free=shutil.disk_usage(place).free, memory_available=available)
