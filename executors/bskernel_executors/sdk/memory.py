"""How often the system ended a process for lack of memory, in the control group that this process lives in."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path


def candidates(cgroup: str) -> list[Path]:
    """Files that may hold the count, by the text of /proc/self/cgroup: of either version of control groups.

    In a container the group's own path may not be visible: its files then lie at the mount's root.
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


def count_in(files: Iterable[Path]) -> int | None:
    """`oom_kill` of the first file that has it."""
    for file in files:
        try:
            lines = file.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.isdigit():
                return int(value)
    return None


@functools.cache
def _counter() -> Path | None:
    """The file that has the count for this process's group, which it stays in."""
    try:
        files = candidates(Path("/proc/self/cgroup").read_text(encoding="utf-8"))
    except OSError:
        return None
    return next((file for file in files if count_in([file]) is not None), None)


def oom_kills() -> int | None:
    """This process's group's count of processes ended for lack of memory, or None where nothing counts it."""
    file = _counter()
    return None if file is None else count_in([file])
