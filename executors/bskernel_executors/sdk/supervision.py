"""A process above the server that outlives it for a moment, so that nothing that a step started outlives a session.

The server kills what its steps leave. But a step may kill the server, and a process that left its group, its session
and its environment would then belong to nobody. It is reparented to the supervisor instead, which kills it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import NoReturn

from bskernel_executors.sdk.process_tree import become_subreaper, die_with_parent, kill_orphans

_GRACE_S = 3.0  # how long a server may take to end after its kernel has died


def supervise(owner: int) -> None:
    """Fork: return in the child, which becomes the server, and stay as its supervisor in this process.

    `owner` is the process that started this one; 0 in a container, which the engine starts. The session ends with it,
    and on SIGTERM.
    """
    become_subreaper()
    supervisor = os.getpid()
    # Blocked before the fork: a request to end must not be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = os.fork()
    if server == 0:
        # A group of its own: a step that kills the server's group does not reach the supervisor.
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        die_with_parent(supervisor)
        return
    _supervise(server, owner)


def _supervise(server: int, owner: int) -> NoReturn:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)  # the channel belongs to the server alone
    asked, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    ended = os.pidfd_open(server)
    if owner == 0:
        select.select([ended, asked], [], [])
    else:
        with contextlib.suppress(ProcessLookupError):
            gone = os.pidfd_open(owner)
            if os.getppid() == owner:
                select.select([ended, gone, asked], [], [])
    if not select.select([ended, asked], [], [], 0)[0]:
        select.select([ended, asked], [], [], _GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.kill(server, signal.SIGKILL)
    _, status = os.waitpid(server, 0)
    kill_orphans(())
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        # End as the server did, so that the kernel sees why.
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.kill(os.getpid(), -code)
    os._exit(abs(code))
