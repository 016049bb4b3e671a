"""The client of a warm session's daemon: borrows the session, whose transport the daemon relays over a socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import FrameError
from bskernel_protocol.frames import ByteSink, ByteSource

from bskernel.host.process import signs_of
from bskernel.runtime.session_dirs import SessionFolders, folders_of
from bskernel.runtime.warm.messages import (
    EndFacts,
    EndFactsRequest,
    EndRequest,
    Granted,
    KillRequest,
    LeaseRequest,
    LimitRequest,
    ReleaseRequest,
    Reply,
    Request,
    Signs,
    Status,
    StatusRequest,
    VitalSignsRequest,
)
from bskernel.runtime.warm.registry import SessionEntry
from bskernel.runtime.warm.sockets import (
    PeerStoppedError,
    SocketStream,
    peer_pid,
    receive_reply,
    require_same_user,
    send,
)
from bskernel.runtime.watch import VitalSigns

_ANSWER_S = 30.0  # the time limit for an answer: the daemon may be cleaning up after another run
_SIGNS_S = 3.0
_GONE = (OSError, FrameError, msgspec.DecodeError)


def _connect(entry: SessionEntry) -> socket.socket | None:
    """A connection to the daemon, None when no daemon of this user listens."""
    try:
        connection = entry.connect()
    except OSError:
        return None
    try:
        require_same_user(connection)
    except PermissionError:
        connection.close()
        return None
    connection.settimeout(_ANSWER_S)
    return connection


def _request(connection: socket.socket, request: Request, limit_s: float = _ANSWER_S) -> Reply | None:
    """The daemon's reply, None when it is gone. Raises PeerStoppedError."""
    try:
        send(connection, request)
        return receive_reply(connection, limit_s)
    except PeerStoppedError:
        raise
    except _GONE:
        return None


def request_status(entry: SessionEntry, idle_s: float | None = None) -> Status | None:
    """The session's status, None when no daemon answers. `idle_s` sets a new idle time, in seconds."""
    connection = _connect(entry)
    if connection is None:
        return None
    with connection:
        try:
            reply = _request(connection, StatusRequest(idle_s=idle_s))
        except PeerStoppedError:
            return Status(state="stopped", keeps_s=0.0)
    return reply if isinstance(reply, Status) else None


def request_end(entry: SessionEntry, *, when_free: bool) -> None:
    """Ask the daemon to end the session, at once or when no run uses it."""
    connection = _connect(entry)
    if connection is not None:
        with connection, contextlib.suppress(PeerStoppedError):
            _request(connection, EndRequest(when_free=when_free))


def borrow(entry: SessionEntry, cache: Path, idle_s: float | None) -> BorrowedTransport | None:
    """Borrow the session; None when it does not exist, another run uses it, or its daemon is stopped."""
    connection = _connect(entry)
    if connection is None:
        return None
    try:
        reply = _request(connection, LeaseRequest(idle_s=idle_s))
        if isinstance(reply, Granted):
            _, (data,), _, _ = socket.recv_fds(connection, 1, 1)
            return BorrowedTransport(connection, socket.socket(fileno=data), folders_of(cache, reply.session))
    except (OSError, ValueError):
        pass  # it has just ended
    connection.close()
    return None


class BorrowedTransport:
    """The transport of a session that a daemon owns; asks the daemon for what only the owner can do."""

    def __init__(self, control: socket.socket, data: socket.socket, folders: SessionFolders) -> None:
        self.folders = folders
        self.source: ByteSource = SocketStream(data)
        self.sink: ByteSink = SocketStream(data)
        self.seals_inputs = False  # only the daemon knows how the folders are mounted
        self._control = control
        self._data = data
        self._asking = threading.Lock()
        self._limit: int | None = None
        self._end_facts: EndFacts | None = None
        self._daemon_gone = False
        self._released = False

    @property
    def lost(self) -> bool:
        """True when no step is to blame for the end: the daemon died, or the user ended the session."""
        taken_down = self._end_facts is not None and self._end_facts.taken_down
        return not self._released and (self._daemon_gone or taken_down)

    def _ask(self, request: Request, limit_s: float = _ANSWER_S) -> Reply | None:
        with self._asking:
            try:
                reply = None if self._daemon_gone else _request(self._control, request, limit_s)
            except PeerStoppedError:
                reply = None
            self._daemon_gone = reply is None
            return reply

    def vital_signs(self) -> VitalSigns:
        """Those of the daemon while it is stopped; else those of the server, according to the daemon."""
        pid = peer_pid(self._control)
        if signs_of(pid).state == "stopped":
            return VitalSigns(state="stopped", what=f"process {pid}, which keeps the session warm,")
        reply = self._ask(VitalSignsRequest(), _SIGNS_S)
        return reply.signs if isinstance(reply, Signs) else VitalSigns(state="gone", what="its keeper")

    def limit_memory(self, mebibytes: int | None) -> None:
        """Limit the memory of the whole session, in MiB; None removes the limit."""
        if mebibytes != self._limit:
            self._limit = mebibytes
            self._ask(LimitRequest(mebibytes=mebibytes))

    def _request_end_facts(self) -> EndFacts | None:
        if self._end_facts is None:
            reply = self._ask(EndFactsRequest())
            self._end_facts = reply if isinstance(reply, EndFacts) else None
        return self._end_facts

    def end_facts(self) -> dict[str, Any]:
        """Why the server ended, according to the daemon."""
        end = self._request_end_facts()
        if self.lost:
            # Other threads may still use the folders. The daemon leaves them to their new owner.
            with contextlib.suppress(OSError):
                self.folders.take_over()
            self.hang_up()
        return end.facts if end is not None else {}

    def last_words(self) -> tuple[str, ...]:
        """The last lines of the server's stderr."""
        end = self._request_end_facts()
        return end.last_words if end is not None else ()

    def end(self) -> None:
        """Kill the server, which ends its daemon too."""
        self._ask(KillRequest())
        pid = peer_pid(self._control)
        if self._daemon_gone and signs_of(pid).state == "stopped":
            # Nobody may be waiting for it: its run goes on in another session. Its server ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            # Other threads may still use the folders.
            with contextlib.suppress(OSError):
                self.folders.take_over()
            self.hang_up()

    def release(self) -> None:
        """Return the session, and wait until it is ready for the next run."""
        self._released = True
        self._ask(ReleaseRequest())
        self.hang_up()

    def hang_up(self) -> None:
        """Disconnect without returning the session; `source` reaches its end."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._data.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the sockets. Nobody may be reading them."""
        self._control.close()
        self._data.close()
