"""Who holds a lock: the system lists the locks on each open file (proc(5), fdinfo)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bskernel.host.process import boot_time_s, command_of, signs_of

STOPPED_S = 6.0  # a holder that was stopped for so long is not waited for
_PATIENCE_S = 2.0  # between two looks at who holds it
_POLL_S = 0.05


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


class HolderStoppedError(Exception):
    """A lock is held by a process that a signal or a debugger has stopped: waiting would not end."""

    def __init__(self, path: Path, holder: Holder) -> None:
        super().__init__(f"{path} is locked by {holder}")
        self.hint = f"kill -CONT {holder.pid} continues it, kill -9 {holder.pid} ends it"


def lock(fd: int, operation: int, path: Path, report: Callable[[str], None] = lambda _: None) -> None:
    """`flock` for as long as its holder is alive and not stopped; `report` hears of a long wait once.

    Raises HolderStoppedError.
    """
    waited = stopped = 0.0
    said = False
    while True:
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_POLL_S)
        else:
            return
        waited += _POLL_S
        if waited < _PATIENCE_S:
            continue
        waited, holder = 0.0, find_holder(path)
        if holder is None:
            continue  # another user's
        if not said:
            said = True
            report(f"waiting for {holder}, which locks {path}")
        stopped = stopped + _PATIENCE_S if holder.stopped else 0.0
        if stopped >= STOPPED_S:
            raise HolderStoppedError(path, holder)


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
