"""Who holds a lock: the system tells of each open file which locks are on it (proc(5), fdinfo)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from bskernel.host.process import boot_time_s, command_of, signs_of


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process that holds a lock; `since` is when it started, in seconds since the epoch."""

    pid: int
    stopped: bool
    since: float
    command: str

    def __str__(self) -> str:
        """For people: process 123 (bskernel run build.toml), running since 14:03:55."""
        clock = time.strftime("%H:%M:%S", time.localtime(self.since))
        what = f" ({self.command})" if self.command else ""
        return f"process {self.pid}{what}, {'stopped by a signal' if self.stopped else 'running'}, started at {clock}"


def find_holder(path: Path, offset: int | None = None) -> Holder | None:
    """The process that holds a lock on the file, or on its byte at `offset`; None when it cannot be found.

    Looks through the open files of every process of this user: call it only after waiting.
    """
    try:
        wanted = path.stat()
    except OSError:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid == os.getpid() or not _holds(folder, str(path.resolve()), wanted, offset):
            continue
        signs = signs_of(pid)
        if signs.state != "gone":
            since = boot_time_s() + int(signs.started) / os.sysconf("SC_CLK_TCK")
            return Holder(pid=pid, stopped=signs.state == "stopped", since=since, command=command_of(pid))
    return None


def _holds(process: Path, path: str, wanted: os.stat_result, offset: int | None) -> bool:
    try:
        descriptors = os.listdir(process / "fd")  # noqa: PTH208 - numbers
    except OSError:
        return False
    for number in descriptors:
        try:
            # The path first: looking at a descriptor of a dead network share could wait.
            if os.readlink(process / "fd" / number) != path:  # noqa: PTH115 - no path
                continue
            if not os.path.samestat((process / "fd" / number).stat(), wanted):
                continue
            lines = (process / "fdinfo" / number).read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        if any(_covers(line.split(), offset) for line in lines if line.startswith("lock:")):
            return True
    return False


def _covers(fields: list[str], offset: int | None) -> bool:
    """Whether a line such as `lock: 1: OFDLCK ADVISORY WRITE -1 08:01:42 7 7` is a lock on that byte."""
    first, last = fields[-2:]
    return offset is None or (int(first) <= offset and (last == "EOF" or offset <= int(last)))
