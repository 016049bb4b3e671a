"""Sessions of any runtime: folders, a transport and framed messages. No session outlives its runtime."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bskernel_protocol import Event

from bskernel.core.interfaces import ExecutorHost, SessionEnded
from bskernel.core.step import ExecutorRef
from bskernel.host.side_by_side import run_side_by_side
from bskernel.runtime.channel import Channel, Transport
from bskernel.runtime.session_dirs import SessionFolders, make_folders

_READY_S = 180.0


class Starter(ExecutorHost, Protocol):
    """Starts the servers of executors: the part of a runtime that differs between docker and process."""

    @property
    def engine_facts(self) -> dict[str, Any] | None:
        """Version and settings of the container engine; None without one."""

    def start(self, executor: ExecutorRef, folders: SessionFolders) -> Transport:
        """Start the executor's server. Raises SessionFailed, EnvironmentLacking."""

    def run_by_hand(
        self, executor: ExecutorRef, directory: Path, folders: SessionFolders, report: Callable[[str], None]
    ) -> int:
        """Run the step in `directory` without a session, on this process's stdout; returns its exit code."""

    def end_orphans(self, folders: SessionFolders) -> None:
        """End the processes or containers of a session whose owner has died. Raises EnvironmentLacking."""


class FramedSession:
    """An executor's server that speaks the protocol."""

    def __init__(self, transport: Transport, folders: SessionFolders, executor: ExecutorRef) -> None:
        self._transport = transport
        self._folders = folders
        self._channel = Channel(transport, str(executor))
        self._limiting = threading.Lock()
        self._closing = threading.Lock()
        self._closed = False

    @property
    def root(self) -> Path:
        """The folder of step directories on the host."""
        return self._folders.steps

    @property
    def inputs_root(self) -> Path:
        """The folder of inputs on the host."""
        return self._folders.inputs

    @property
    def seals_inputs(self) -> bool:
        """True when the executor cannot write to its inputs."""
        return self._transport.seals_inputs

    def wait_until_ready(self) -> None:
        """Wait until the executor has imported its libraries. Raises SessionFailed."""
        self._channel.wait_until_ready(_READY_S)

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Run one step; others may run at the same time."""
        with self._limiting:
            self._transport.limit_memory(memory_mib)
        return self._channel.run(directory, timeout_s, on_event)

    def cancel(self, directory: str) -> None:
        """Cancel one step."""
        self._channel.cancel(directory)

    @property
    def over(self) -> bool:
        """True once the executor has ended."""
        return self._channel.over

    def interrupt(self) -> None:
        """Make every `run` return at once."""
        self._channel.interrupt()

    def close(self) -> None:
        """End every process and remove the folders."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._channel.expect_end()
                self._transport.end()
                self._channel.close()
                self._transport.close()
                self._folders.remove()


SessionT = TypeVar("SessionT", bound=FramedSession)


def wait_ready(session: SessionT, *, closed: bool) -> SessionT:
    """Wait until the session is ready and return it; close it if that fails or its runtime is `closed` already.

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
    """Opens sessions with a starter."""

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
        """True when a memory limit applies to the whole session."""
        return self._starter.limits_sessions

    def end_orphans(self, folders: SessionFolders) -> None:
        """End the processes or containers of a session whose owner has died."""
        self._starter.end_orphans(folders)

    def prepare(self, executor: ExecutorRef) -> None:
        """Make the executor's environment or image unless it exists. Raises EnvironmentLacking, ConfigError."""
        self._starter.prepare(executor)

    def open(self, executor: ExecutorRef) -> FramedSession:
        """Start an executor and wait until it is ready. Raises SessionFailed, EnvironmentLacking."""
        folders = make_folders(self._cache, self._starter.name)
        try:
            transport = self._starter.start(executor, folders)
        except BaseException:
            folders.remove()
            raise
        session = FramedSession(transport, folders, executor)
        with self._lock:
            self._sessions.append(session)
            closed = self._closed
        return wait_ready(session, closed=closed)

    def close(self) -> None:
        """Close every session, including those that are still starting; no session starts after this."""
        with self._lock:
            self._closed = True
            sessions = list(self._sessions)
        # In parallel: an engine may be slow to remove a container, and an interrupt should end the build fast.
        run_side_by_side([session.close for session in sessions])
