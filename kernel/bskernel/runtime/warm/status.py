"""What is kept now, and ending it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from bskernel.runtime.session import Starter
from bskernel.runtime.session_dirs import Owner, folders_of, owner_of, processes_of
from bskernel.runtime.warm.client import ask, request_end
from bskernel.runtime.warm.messages import DaemonRecord, State
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry

_END_S = 15.0  # an engine may need that long to remove a container


class WarmStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A kept session now. What is not known, or does not apply, is None."""

    executor: str
    digest: str
    runtime: str
    state: State
    keeps_s: float
    idle_s: float | None = None
    left_s: float | None = None  # until it ends, when nobody uses it
    memory_mib: int | None = None  # of its processes and its keeper


def _memory(pid: int) -> int | None:
    """What a process holds, in KiB, with its share of what it shares (PSS)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return None


def _memory_mib(kept: DaemonRecord) -> int | None:
    pids = processes_of(kept.session)
    found = [_memory(pid) for pid in (kept.keeper.pid, *pids)]
    known = [size for size in found if size is not None]
    # Of an engine elsewhere we see no processes: less than all is not told.
    return sum(known) >> 10 if pids and len(known) == len(found) else None


def warm_statuses(cache: Path) -> Iterator[WarmStatus]:
    """What is kept and answers. Raises PermissionError when the folder is not this user's alone."""
    for place, kept in SessionRegistry(cache).all():
        status = ask(place)
        if status is not None:
            yield WarmStatus(
                executor=str(kept.order.executor),
                digest=kept.order.executor.digest,
                runtime=kept.order.runtime,
                state=status.state,
                keeps_s=status.keeps_s,
                idle_s=status.idle_s,
                left_s=status.left_s,
                memory_mib=_memory_mib(kept),
            )


def _wait_for_end(owner: Owner) -> None:
    """Until the process is gone; one that does not heed is killed."""
    try:
        pidfd = os.pidfd_open(owner.pid)
    except OSError:
        return
    try:
        # The number may be another process's by now.
        if owner.alive and not select.select([pidfd], [], [], _END_S)[0]:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            select.select([pidfd], [], [])
    finally:
        os.close(pidfd)


def _end(place: SessionEntry, kept: DaemonRecord, cache: Path, starter: Callable[[str], Starter]) -> None:
    request_end(place, when_free=False)
    _wait_for_end(kept.keeper)
    folders = folders_of(cache, kept.session)
    if owner_of(folders.path) == kept.keeper:
        # It was killed, so nobody has ended its server for it.
        starter(kept.order.runtime).end_orphans(kept.session)
        folders.remove()
    place.remove()


def end_failed(place: SessionEntry, cache: Path, starter: Callable[[str], Starter]) -> None:
    """End one that did not come up; when this returns nothing of it is left."""
    kept = place.read()
    if kept is not None:
        _end(place, kept, cache, starter)


def end_all(cache: Path, names: Sequence[str], starter: Callable[[str], Starter]) -> Iterator[str]:
    """End those named NAME or NAME@VERSION, or all; yields each when nothing of it is left.

    A build that uses one goes on in a new session. `starter` is what starts executors in a runtime of that name.
    Raises PermissionError when the folder is not this user's alone.
    """
    for place, kept in SessionRegistry(cache).all():
        executor = kept.order.executor
        if not names or {executor.name, str(executor)} & set(names):
            _end(place, kept, cache, starter)
            yield f"{executor} ({kept.order.runtime})"
