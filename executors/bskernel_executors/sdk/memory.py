"""How often the system ended a process for lack of memory, in the control group that this process lives in."""

from __future__ import annotations

from pathlib import Path


def _candidates(cgroup: str) -> list[Path]:
    """Files that hold the count, by /proc/self/cgroup: of cgroup v2, and of v1's memory controller.

    In a container the group's own path may not be visible: its files then lie at the mount's root.
    """
    files = []
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            files += [Path(f"/sys/fs/cgroup{path}/memory.events"), Path("/sys/fs/cgroup/memory.events")]
        elif "memory" in controllers.split(","):
            root = Path("/sys/fs/cgroup/memory")
            files += [Path(f"{root}{path}/memory.oom_control"), root / "memory.oom_control"]
    return files


def oom_kills(cgroup: Path = Path("/proc/self/cgroup")) -> int | None:
    """The group's count of processes ended for lack of memory, or None where nothing counts it."""
    try:
        files = _candidates(cgroup.read_text(encoding="utf-8"))
    except OSError:
        return None
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
