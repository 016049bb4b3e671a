"""A kept session as a run sees it while it has it: its carrier is the keeper's, by way of a socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import FrameError
from bskernel_protocol.frames import ByteSink, ByteSource

from bskernel.runtime.folders import SessionFolders, folders_of
from bskernel.runtime.kept.messages import (
    Ask,
    End,
    Ended,
    EndServer,
    Granted,
    Lease,
    Limit,
    Release,
    Reply,
    Request,
    Status,
    WhyEnded,
)
from bskernel.runtime.kept.peer import SocketStream, receive_reply, require_same_user, send
from bskernel.runtime.kept.place import Place

_ANSWER_S = 30.0  # the longest that a keeper needs: it cleans up after another run
_GONE = (OSError, FrameError, msgspec.DecodeError)


def _connect(place: Place) -> socket.socket | None:
    """None when no keeper of this user's is there."""
    try:
        connection = place.connect()
    except OSError:
        return None
    try:
        require_same_user(connection)
    except PermissionError:
        connection.close()
        return None
    connection.settimeout(_ANSWER_S)
    return connection


def _request(connection: socket.socket, request: Request) -> Reply | None:
    """None when the keeper is gone."""
    try:
        send(connection, request)
        return receive_reply(connection)
    except _GONE:
        return None


def ask(place: Place, idle_s: float | None = None) -> Status | None:
    """How it is; None when no keeper answers."""
    connection = _connect(place)
    if connection is None:
        return None
    with connection:
        reply = _request(connection, Ask(idle_s=idle_s))
    return reply if isinstance(reply, Status) else None


def tell_to_end(place: Place, *, when_free: bool) -> None:
    """At once, or when nobody uses it."""
    connection = _connect(place)
    if connection is not None:
        with connection:
            _request(connection, End(when_free=when_free))


def borrow(place: Place, cache: Path, idle_s: float | None) -> LentCarrier | None:
    """Use the session, if it is there and nobody else uses it."""
    connection = _connect(place)
    if connection is None:
        return None
    try:
        reply = _request(connection, Lease(idle_s=idle_s))
        if isinstance(reply, Granted):
            _, (data,), _, _ = socket.recv_fds(connection, 1, 1)
            return LentCarrier(connection, socket.socket(fileno=data), folders_of(cache, reply.session))
    except (OSError, ValueError):
        pass  # it ended in this moment
    connection.close()
    return None


class LentCarrier:
    """Carries the bytes of a server that a keeper owns; what only its owner can do is asked for."""

    def __init__(self, control: socket.socket, data: socket.socket, folders: SessionFolders) -> None:
        self.folders = folders
        self.source: ByteSource = SocketStream(data)
        self.sink: ByteSink = SocketStream(data)
        self.seals_inputs = False  # how its folders are mounted, the keeper alone knows
        self._control = control
        self._data = data
        self._asking = threading.Lock()
        self._limit: int | None = None
        self._ended: Ended | None = None
        self._keeper_gone = False
        self._released = False

    @property
    def lost(self) -> bool:
        """Is it gone for a reason that no step gave: its keeper died, or the user had it taken down?"""
        taken_down = self._ended is not None and self._ended.taken_down
        return not self._released and (self._keeper_gone or taken_down)

    def _ask(self, request: Request) -> Reply | None:
        with self._asking:
            reply = None if self._keeper_gone else _request(self._control, request)
            self._keeper_gone = reply is None
            return reply

    def limit_memory(self, mebibytes: int | None) -> None:
        """What the session may hold in all."""
        if mebibytes != self._limit:
            self._limit = mebibytes
            self._ask(Limit(mebibytes=mebibytes))

    def _why(self) -> Ended | None:
        if self._ended is None:
            reply = self._ask(WhyEnded())
            self._ended = reply if isinstance(reply, Ended) else None
        return self._ended

    def end_facts(self) -> dict[str, Any]:
        """Why the server ended of itself, as its keeper knows it."""
        why = self._why()
        if self.lost:
            # Steps are still being laid out there, or read. The keeper leaves the folders to their new owner.
            with contextlib.suppress(OSError):
                self.folders.take_over()
            self.hang_up()
        return why.facts if why is not None else {}

    def last_words(self) -> tuple[str, ...]:
        """The end of the server's own error output."""
        why = self._why()
        return why.last_words if why is not None else ()

    def end(self) -> None:
        """Have the server killed; its keeper ends with it."""
        self._ask(EndServer())

    def release(self) -> None:
        """Give the session back, and wait until the next run may have it."""
        self._released = True
        self._ask(Release())
        self.hang_up()

    def hang_up(self) -> None:
        """Leave without a word; whoever reads `source` sees its end."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._data.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the sockets, once nobody reads them."""
        self._control.close()
        self._data.close()
