"""Lists warm sessions and ends them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from bskernel.host.process import signs_of
from bskernel.runtime.session import Starter
from bskernel.runtime.session_dirs import Owner, folders_of, owner_of, processes_of
from bskernel.runtime.warm.client import request_end, request_status
from bskernel.runtime.warm.messages import DaemonRecord, State
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry

_END_S = 15.0  # an engine may need that long to remove a container


class WarmStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a warm session. Values that are unknown or do not apply are None."""

    executor: str
    digest: str
    runtime: str
    state: State
    keeps_s: float
    idle_s: float | None = None
    left_s: float | None = None  # seconds until it ends, while idle
    memory_mib: int | None = None  # of its processes and its daemon


def _memory_kib(pid: int) -> int | None:
    """The memory of a process in KiB, with its proportional share of shared pages (PSS); 0 once it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # a step's child may end at any time
    except OSError:
        return None
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), None)


def memory_mib(pids: Sequence[int]) -> int | None:
    """The memory of processes in MiB; None when the kernel does not tell that of each that runs."""
    sizes = [_memory_kib(pid) for pid in pids]
    known = [size for size in sizes if size is not None]
    return sum(known) >> 10 if len(known) == len(sizes) else None


def _memory_of(record: DaemonRecord) -> int | None:
    pids = processes_of(record.session)
    # A remote engine's processes are invisible here; a partial sum would be wrong.
    return memory_mib([record.keeper.pid, *pids]) if pids else None


def warm_statuses(cache: Path) -> Iterator[WarmStatus]:
    """The warm sessions whose daemons answer. Raises PermissionError when other users can access the folder."""
    for entry, record in SessionRegistry(cache).all():
        status = request_status(entry)
        if status is not None:
            yield WarmStatus(
                executor=str(record.order.executor),
                digest=record.order.executor.digest,
                runtime=record.order.runtime,
                state=status.state,
                keeps_s=status.keeps_s,
                idle_s=status.idle_s,
                left_s=status.left_s,
                memory_mib=_memory_of(record),
            )


def _wait_for_end(owner: Owner) -> None:
    """Wait until the process has ended; kill it if it takes too long."""
    try:
        pidfd = os.pidfd_open(owner.pid)
    except OSError:
        return
    try:
        deadline = time.monotonic() + _END_S
        # The PID may belong to another process by now. A stopped process does not end by itself.
        while owner.alive and time.monotonic() < deadline and signs_of(owner.pid).state != "stopped":
            if select.select([pidfd], [], [], 0.2)[0]:
                return
        if owner.alive:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            select.select([pidfd], [], [])
    finally:
        os.close(pidfd)


def _end(entry: SessionEntry, record: DaemonRecord, cache: Path, starter: Callable[[str], Starter]) -> None:
    request_end(entry, when_free=False)
    _wait_for_end(record.keeper)
    folders = folders_of(cache, record.session)
    if owner_of(folders.path) == record.keeper:
        # It was killed, so its server may still run.
        starter(record.order.runtime).end_orphans(folders)
        folders.remove()
    entry.remove()


def end_failed(entry: SessionEntry, cache: Path, starter: Callable[[str], Starter]) -> None:
    """End a session that failed to start, with all its processes and files."""
    record = entry.read()
    if record is not None:
        _end(entry, record, cache, starter)


def end_all(cache: Path, names: Sequence[str], starter: Callable[[str], Starter]) -> Iterator[str]:
    """End the sessions named NAME or NAME@VERSION, or all; yields each once it has ended completely.

    A build that uses one continues in a new session. `starter` returns the starter of the runtime of that name.
    Raises PermissionError when other users can access the folder.
    """
    for entry, record in SessionRegistry(cache).all():
        executor = record.order.executor
        if not names or {executor.name, str(executor)} & set(names):
            _end(entry, record, cache, starter)
            yield f"{executor} ({record.order.runtime})"
