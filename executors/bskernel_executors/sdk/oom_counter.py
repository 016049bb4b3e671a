"""Count how often the system's out-of-memory killer ended a process in this process's control group."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path

_COUNT = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
_LARGEST = 1 << 16  # bytes


def list_counter_files(cgroup: str) -> list[Path]:
    """List the files that may hold the count, from the text of /proc/self/cgroup; covers cgroup v1 and v2.

    In a container the group's own path may be hidden; its files are then at the root of the mount.
    """
    files = []
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        group = path.strip("/")
        if number == "0" and not controllers:
            root = Path("/sys/fs/cgroup")
            files += [root / group / "memory.events", root / "memory.events"]
        elif "memory" in controllers.split(","):
            root = Path("/sys/fs/cgroup/memory")
            files += [root / group / "memory.oom_control", root / "memory.oom_control"]
    return files


def read_counter(files: Iterable[Path]) -> int | None:
    """Return `oom_kill` from the first file that has it, or None."""
    for file in files:
        try:
            found = _COUNT.search(_read(file))
        except OSError:
            continue
        if found is not None:
            return int(found[1])
    return None


def _read(file: Path) -> bytes:
    """What is in a small file of the system; without Python's file objects, since every step's start and end ask."""
    opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(opened, _LARGEST)
    finally:
        os.close(opened)


@functools.cache
def _counter_file() -> Path | None:
    """The file with the count of this process's group; a process stays in its group."""
    try:
        files = list_counter_files(Path("/proc/self/cgroup").read_text(encoding="utf-8"))
    except OSError:
        return None
    return next((file for file in files if read_counter([file]) is not None), None)


def count_oom_kills() -> int | None:
    """Return how often a process of this control group was killed for lack of memory; None if nothing counts it."""
    file = _counter_file()
    return None if file is None else read_counter([file])
