"""Facts about this machine: operating system, Docker engine, free disk and memory."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.engine import connect

_OF_ENGINE = ("CgroupVersion", "CgroupDriver", "Driver", "SecurityOptions", "KernelVersion", "OperatingSystem")


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
    found, info = client.version(), client.info()
    client.close()
    return {"version": found.get("Version"), **{key: info.get(key) for key in _OF_ENGINE}}


def room(cache: Path) -> Room:
    """Free disk space and memory for `cache`, which need not exist yet."""
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return Room(cache=str(cache), disk_free=shutil.disk_usage(place).free, memory_available=_memory_available())


def _memory_available() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None
