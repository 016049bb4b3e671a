"""The owner of a kept session: lends it to one run at a time, and ends it when its time is over."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import msgspec
from bskernel_protocol import FrameError

from bskernel.runtime.channel import Transport
from bskernel.runtime.session_dirs import SessionFolders
from bskernel.runtime.warm.messages import (
    Acknowledged,
    Busy,
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
    State,
    Status,
    StatusRequest,
)
from bskernel.runtime.warm.relay import ServerRelay
from bskernel.runtime.warm.sockets import receive_request, require_same_user, send

_READY_S = 180.0  # a server may take that long to import its libraries
_GRACE_S = 2.0  # a run whose session is taken down may take that long to save its step
_BROKEN = (OSError, FrameError, msgspec.DecodeError)


class WarmDaemon:
    """Keeps one session until nobody has used it for `idle_s`, or it is told to end, or its server ends."""

    def __init__(self, carrier: Transport, folders: SessionFolders, idle_s: float) -> None:
        self._carrier = carrier
        self._folders = folders
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._since = time.monotonic()
        self._used = False
        self._settling = False  # the run is gone, and what it left is being removed
        self._ending = False
        self._down = False  # at once, whoever uses it
        self._server = ServerRelay(carrier, self._server_changed)

    def serve(self, listener: socket.socket) -> None:
        """Until the session's time is over; then every process of it is ended and its folders are removed."""
        threading.Thread(target=self._accept, args=(listener,), name="accept", daemon=True).start()
        self._server.start()
        try:
            self._wait()
        finally:
            self._carrier.end()
            # A run whose session was taken down goes on elsewhere and needs its step's folder.
            if self._folders.are_ours():
                self._folders.remove()

    def _wait(self) -> None:
        with self._changed:
            while self._used or not self._ending:
                if self._down:
                    self._changed.wait_for(lambda: not self._used, _GRACE_S)
                    return
                left = None if self._used else self._left()
                if left is not None and left <= 0:
                    self._ending = True
                    return
                self._changed.wait(left)

    def _left(self) -> float:
        limit = self._idle_s if self._server.ready else max(self._idle_s, _READY_S)
        return self._since + limit - time.monotonic()

    def _server_changed(self) -> None:
        with self._changed:
            self._ending = self._ending or self._server.gone
            self._since = time.monotonic()
            self._changed.notify_all()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(*_BROKEN):
            require_same_user(connection)
            while (request := receive_request(connection)) is not None:
                if isinstance(request, LeaseRequest):
                    self._lend(connection, request)
                elif isinstance(request, EndRequest):
                    self._end(request)
                    send(connection, Acknowledged())
                else:
                    send(connection, self._status(request))

    def _status(self, request: Request) -> Status:
        with self._changed:
            if isinstance(request, StatusRequest) and request.idle_s is not None:
                self._idle_s, self._since = request.idle_s, time.monotonic()
                self._changed.notify_all()
            if self._used or self._ending:
                return Status(state="ending" if self._ending else "in use", keeps_s=self._idle_s)
            state: State = "idle" if self._server.ready else "starting"
            idle = time.monotonic() - self._since
            return Status(state=state, keeps_s=self._idle_s, idle_s=idle, left_s=max(0.0, self._left()))

    def _end(self, request: EndRequest) -> None:
        with self._changed:
            self._ending = True
            self._down = self._down or not request.when_free
            self._changed.notify_all()
        if self._down:
            self._carrier.end()

    def _lend(self, connection: socket.socket, lease: LeaseRequest) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._settling)
            free = not (self._used or self._ending)
            if free:
                self._used = True
                self._idle_s = self._idle_s if lease.idle_s is None else lease.idle_s
        if not free:
            send(connection, Busy())
            return
        released = False
        try:
            released = self._attend_user(connection)
        finally:
            self._settle()
        if released:
            send(connection, Acknowledged())

    def _attend_user(self, connection: socket.socket) -> bool:
        with self._server.connect() as theirs:
            send(connection, Granted(session=self._folders.id))
            socket.send_fds(connection, [b"\0"], [theirs.fileno()])
        with contextlib.suppress(*_BROKEN):
            while (request := receive_request(connection)) is not None:
                if isinstance(request, ReleaseRequest):
                    return True
                send(connection, self._heed(request))
        return False

    def _heed(self, request: Request) -> Reply:
        if isinstance(request, EndFactsRequest):
            words = self._carrier.last_words()
            return EndFacts(facts=self._carrier.end_facts(), last_words=words, taken_down=self._down)
        if isinstance(request, LimitRequest):
            self._carrier.limit_memory(request.mebibytes)
        elif isinstance(request, KillRequest):
            self._carrier.end()
        return Acknowledged()

    def _settle(self) -> None:
        """After a run, however it ended: nothing of it is left, or the session ends."""
        with self._changed:
            self._settling = True
        usable = self._server.disconnect()
        if usable:
            self._carrier.limit_memory(None)
            usable = self._folders.clear()
        with self._changed:
            self._used = self._settling = False
            self._ending = self._ending or not usable
            self._since = time.monotonic()
            self._changed.notify_all()
