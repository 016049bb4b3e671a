"""The processes of concurrent steps: how those of one step end without touching another's.

Each step's child process is a subreaper, and so is the server. Whatever a step starts therefore stays below the
step's child as long as that lives, even if it changes its process group or session. When the child ends, everything
it leaves behind is reparented to the server. So a child of the server that is not a known step belongs to a step that
has ended, and can be killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection

from bskernel_executors.sdk.libc import prctl

# Linux, <sys/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_S = 60.0
_ENDED_FIRST = 300  # thousandths of the memory that there may be: what browsers give their pages


def become_subreaper() -> None:
    """Adopt orphaned descendants from now on. A fork does not inherit this."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Let the system kill this process when `parent` dies; exit at once if it is already dead."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def be_ended_first() -> None:
    """Have the system end this process, and what it starts, before its server when memory runs out."""
    with contextlib.suppress(OSError):
        # Every step's process does this: Python's own files would take longer than all else that it does at first.
        opened = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(opened, b"%d" % _ENDED_FIRST)
        finally:
            os.close(opened)


def fork_below_reaper() -> None:
    """Fork and return in the child. This process stays its parent, reaps orphans, and exits as the child does.

    Some tools wait before they exit until every process that they orphaned is gone, zombies included.
    """
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        die_with_parent(parent)
        return
    ended, status = os.wait()
    while ended != child:
        ended, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(parent, -code)
    os._exit(abs(code))


def kill_group(pid: int) -> None:
    """Kill a child and the process group that it leads. What left the group is reparented to the server."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # The child has not created its group yet, or has already exited.
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _children() -> list[int]:
    opened = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while part := os.read(opened, 1 << 16):
            data += part
    finally:
        os.close(opened)
    return [int(pid) for pid in data.split()]


def kill_orphans(known: Collection[int]) -> None:
    """Kill and reap every child of this process except the known ones, and then what those leave behind.

    Raises RuntimeError when there are always new ones: processes that fork and exit faster than they can be killed.
    """
    deadline = time.monotonic() + _LONGEST_S
    while orphans := [pid for pid in _children() if pid not in known]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"a step left processes that multiply: they could not be ended in {_LONGEST_S:g} s")
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for pid in orphans:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue
