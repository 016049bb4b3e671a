"""The processes of steps that run beside one another, and how those of one end without touching another's.

Each step's child is a subreaper, and so is the server. What a step starts therefore stays below the step's child as
long as that lives, whatever groups and sessions it moves to; when the child ends, all that it leaves falls to the
server. So whatever child of the server is no child that carries out a step belongs to a step that has ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Collection
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def become_reaper() -> None:
    """Be the parent of what descendants leave behind; a fork does not inherit this."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """End this process when `parent` does, also when it is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def go_on_below_a_reaper() -> None:
    """Return in a child; this process stays above it, reaps what falls to it, and ends as the child does.

    Some tools wait at their end until nothing of what they orphaned is left, not even unreaped.
    """
    mine = os.getpid()
    child = os.fork()
    if child == 0:
        die_with(mine)
        return
    ended, status = os.wait()
    while ended != child:
        ended, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(mine, -code)
    os._exit(abs(code))


def kill_group(pid: int) -> None:
    """Kill a child and the process group that it leads; what left the group falls to the server."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # The child has not made its group yet, or is gone already.
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def end_strangers(known: Collection[int]) -> None:
    """Kill and reap all children of this process but the known ones, and in turn what those leave."""
    while strangers := [pid for pid in _children() if pid not in known]:
        for pid in strangers:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for pid in strangers:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue
