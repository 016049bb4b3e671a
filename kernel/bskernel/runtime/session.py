"""Sessions of any runtime: folders, a carrier, framed messages; none outlives the runtime that opened it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from bskernel_protocol import Event

from bskernel.core.interfaces import ExecutorHost, SessionEnded
from bskernel.core.step import ExecutorRef
from bskernel.runtime.channel import Channel, Transport
from bskernel.runtime.session_dirs import SessionFolders, abandoned, make_folders

_READY_S = 180.0


class Starter(ExecutorHost, Protocol):
    """Starts the servers of executors: the part of a runtime that differs between docker and process."""

    def start(self, executor: ExecutorRef, folders: SessionFolders) -> Transport:
        """Start the executor's server. Raises SessionFailed, EnvironmentLacking."""

    def run_by_hand(
        self, executor: ExecutorRef, directory: Path, folders: SessionFolders, report: Callable[[str], None]
    ) -> int:
        """Carry out the step in `directory` with no session; what it says goes to this process's own output."""

    def end_orphans(self, session_id: str) -> None:
        """End what a session of a kernel that is gone has left running."""


class FramedSession:
    """An executor's server that speaks the protocol."""

    def __init__(self, carrier: Transport, folders: SessionFolders, executor: ExecutorRef) -> None:
        self._carrier = carrier
        self._folders = folders
        self._channel = Channel(carrier, str(executor))
        self._limiting = threading.Lock()
        self._closing = threading.Lock()
        self._closed = False

    @property
    def root(self) -> Path:
        """Step directories on the host."""
        return self._folders.steps

    @property
    def inputs_root(self) -> Path:
        """Inputs on the host."""
        return self._folders.inputs

    @property
    def seals_inputs(self) -> bool:
        """Can the executor not write to its inputs?"""
        return self._carrier.seals_inputs

    def wait_until_ready(self) -> None:
        """Raises SessionFailed."""
        self._channel.wait_until_ready(_READY_S)

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Carry out one step; others may run beside it."""
        with self._limiting:
            self._carrier.limit_memory(memory_mib)
        return self._channel.run(directory, timeout_s, on_event)

    def cancel(self, directory: str) -> None:
        """End one step."""
        self._channel.cancel(directory)

    @property
    def over(self) -> bool:
        """Has its executor ended?"""
        return self._channel.over

    def interrupt(self) -> None:
        """Let every `run` return at once."""
        self._channel.interrupt()

    def close(self) -> None:
        """End every process and remove the folders."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._channel.expect_end()
                self._carrier.end()
                self._channel.close()
                self._carrier.close()
                self._folders.remove()


SessionT = TypeVar("SessionT", bound=FramedSession)


def when_ready(session: SessionT, *, closed: bool) -> SessionT:
    """The session once it is ready; one that does not come up is closed, as where its runtime is `closed` already.

    Raises SessionFailed.
    """
    try:
        if closed:
            session.close()
        session.wait_until_ready()
    except BaseException:
        session.close()
        raise
    return session


class FramedRuntime:
    """Opens sessions by a starter."""

    def __init__(self, cache: Path, starter: Starter) -> None:
        self._cache = cache
        self._starter = starter
        self._lock = threading.Lock()
        self._sessions: list[FramedSession] = []
        self._closed = False

    @property
    def name(self) -> str:
        """`docker` or `process`."""
        return self._starter.name

    @property
    def limits_sessions(self) -> bool:
        """Are memory limits those of whole sessions?"""
        return self._starter.limits_sessions

    def remove_orphans(self) -> int:
        """End and remove what kernels that are gone have left; how many sessions that were."""
        left = list(abandoned(self._cache))
        for folders in left:
            self._starter.end_orphans(folders.id)
            folders.remove()
        return len(left)

    def end_orphans(self, folders: SessionFolders) -> None:
        """End what a session whose owner is gone has left running."""
        self._starter.end_orphans(folders.id)

    def prepare(self, executor: ExecutorRef) -> None:
        """Have what the executor runs in. Raises EnvironmentLacking, ConfigError."""
        self._starter.prepare(executor)

    def open(self, executor: ExecutorRef) -> FramedSession:
        """Start an executor and wait until it has imported its libraries."""
        folders = make_folders(self._cache)
        try:
            carrier = self._starter.start(executor, folders)
        except BaseException:
            folders.remove()
            raise
        session = FramedSession(carrier, folders, executor)
        with self._lock:
            self._sessions.append(session)
            closed = self._closed
        return when_ready(session, closed=closed)

    def close(self) -> None:
        """Close every session, also those that are still starting; nothing is started any more."""
        with self._lock:
            self._closed = True
            sessions = list(self._sessions)
        # Beside one another: an engine takes its time to remove a container, and an interrupt must not.
        closing = [threading.Thread(target=session.close) for session in sessions[1:]]
        for thread in closing:
            thread.start()
        for session in sessions[:1]:
            session.close()
        for thread in closing:
            thread.join()
