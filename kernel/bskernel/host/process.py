"""Processes of this machine, from /proc: who they are, whether they live, run, or are stopped (proc(5))."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

# "stopped": by a signal or a debugger; it does nothing until it is continued. "waiting": for a disk, uninterruptibly.
ProcessState = Literal["running", "waiting", "stopped", "gone"]
_STATES: dict[str, ProcessState] = {"T": "stopped", "t": "stopped", "Z": "gone", "X": "gone", "D": "waiting"}


class ProcessSigns(msgspec.Struct, frozen=True, kw_only=True):
    """What the system says of a process; `ticks` is the processor time that it has used, in clock ticks."""

    state: ProcessState
    ticks: int | None = None
    started: str = "gone"  # in clock ticks since boot; distinguishes it from a later process of the same PID


GONE = ProcessSigns(state="gone")


def signs_of(pid: int) -> ProcessSigns:
    """The signs of a process; GONE when there is none, or only a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return GONE
    fields = text.rpartition(")")[2].split()
    state = _STATES.get(fields[0], "running")
    return (
        GONE
        if state == "gone"
        else ProcessSigns(state=state, ticks=int(fields[11]) + int(fields[12]), started=fields[19])
    )


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot; "gone" when there is none."""
    return signs_of(pid).started


@cache
def boot() -> str:
    """An identifier that changes with every boot; "unknown" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip() or "unknown"
    except OSError:
        return "unknown"


@cache
def boot_time_s() -> float:
    """When this machine booted, in seconds since the epoch."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def children_of(pid: int) -> list[int]:
    """The children of a process's main thread."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(child) for child in text.split()]


def signs_below(pid: int) -> tuple[int, ProcessSigns]:
    """PID and signs of the server below a supervisor, or of the supervisor if it is stopped or alone."""
    above = signs_of(pid)
    # The supervisor has one child; when that dies, it ends at once.
    server = next(iter(children_of(pid)), None)
    return (pid, above) if server is None or above.state in {"stopped", "gone"} else (server, signs_of(server))


def command_of(pid: int) -> str:
    """The command line of a process, for people; "" when it cannot be read."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    words = data.decode("utf-8", "replace").split("\0")[:-1]
    if words and os.path.basename(words[0]).startswith("python"):  # noqa: PTH119 - text
        words = words[1:]  # the script says more than its interpreter
    return " ".join([os.path.basename(words[0]), *words[1:]])[:80] if words else ""  # noqa: PTH119
