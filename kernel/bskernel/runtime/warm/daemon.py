"""The owner of a warm session: lends it to one run at a time, and ends it when it has been idle too long."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time

import msgspec
from bskernel_protocol import FrameError

from bskernel.host.thread import Thread
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
    Signs,
    State,
    Status,
    StatusRequest,
    VitalSignsRequest,
)
from bskernel.runtime.warm.relay import ServerRelay
from bskernel.runtime.warm.sockets import receive_request, require_same_user, send

_READY_S = 180.0  # a server may take that long to import its libraries
_GRACE_S = 2.0  # a run may take that long to save its step after its session was ended
_SILENT_S = 5.0  # a client connects in order to ask something
_AGAIN_S = 0.2
_FOR_NOW = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED}
_BROKEN = (OSError, FrameError, msgspec.DecodeError)


class WarmDaemon:
    """Owns one session until it has been idle for `idle_s` seconds, a client ends it, or its server ends."""

    def __init__(self, transport: Transport, folders: SessionFolders, idle_s: float) -> None:
        self._transport = transport
        self._folders = folders
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._idle_since = time.monotonic()
        self._in_use = False
        self._recycling = False  # the run has ended and its leftovers are being removed
        self._ending = False
        self._ending_now = False  # do not wait for the run that uses it
        self._server = ServerRelay(transport, self._update)

    def serve(self, listener: socket.socket) -> None:
        """Serve clients until the session ends; then end all its processes and remove its folders."""
        Thread(target=self._accept, args=(listener,), name="accept", daemon=True).start()
        self._server.start()
        try:
            self._wait()
        finally:
            self._transport.end()
            # A run whose session was ended continues in a new session and needs its step's folder.
            if self._folders.are_ours():
                self._folders.remove()

    def _wait(self) -> None:
        with self._changed:
            while self._in_use or not self._ending:
                if self._ending_now:
                    self._changed.wait_for(lambda: not self._in_use, _GRACE_S)
                    return
                left_s = None if self._in_use else self._left_s()
                if left_s is not None and left_s <= 0:
                    self._ending = True
                    return
                self._changed.wait(left_s)

    def _left_s(self) -> float:
        limit = self._idle_s if self._server.ready else max(self._idle_s, _READY_S)
        return self._idle_since + limit - time.monotonic()

    def _update(self) -> None:
        with self._changed:
            self._ending = self._ending or self._server.gone
            self._idle_since = time.monotonic()
            self._changed.notify_all()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if error.errno not in _FOR_NOW:
                    return
                time.sleep(_AGAIN_S)  # clients that say nothing are gone soon
                continue
            try:
                Thread(target=self._handle, args=(connection,), daemon=True).start()
            except RuntimeError:  # no more threads
                connection.close()

    def _handle(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(*_BROKEN):
            require_same_user(connection)
            while (request := receive_request(connection, _SILENT_S)) is not None:
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
                self._idle_s, self._idle_since = request.idle_s, time.monotonic()
                self._changed.notify_all()
            if self._in_use or self._ending:
                return Status(state="ending" if self._ending else "in use", keeps_s=self._idle_s)
            state: State = "idle" if self._server.ready else "starting"
            idle = time.monotonic() - self._idle_since
            return Status(state=state, keeps_s=self._idle_s, idle_s=idle, left_s=max(0.0, self._left_s()))

    def _end(self, request: EndRequest) -> None:
        with self._changed:
            self._ending = True
            self._ending_now = self._ending_now or not request.when_free
            self._changed.notify_all()
        if self._ending_now:
            self._transport.end()

    def _lend(self, connection: socket.socket, lease: LeaseRequest) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._recycling)
            # A server that somebody stopped while it was idle is no step's fault.
            self._ending = self._ending or self._transport.vital_signs().state in {"stopped", "gone"}
            free = not (self._in_use or self._ending)
            if free:
                self._in_use = True
                self._idle_s = self._idle_s if lease.idle_s is None else lease.idle_s
        if not free:
            send(connection, Busy())
            return
        released = False
        try:
            released = self._handle_run(connection)
        finally:
            self._recycle()
        if released:
            send(connection, Acknowledged())

    def _handle_run(self, connection: socket.socket) -> bool:
        with self._server.connect() as theirs:
            send(connection, Granted(session=self._folders.id))
            socket.send_fds(connection, [b"\0"], [theirs.fileno()])
        with contextlib.suppress(*_BROKEN):
            while (request := receive_request(connection)) is not None:  # a run has nothing to ask while steps run
                if isinstance(request, ReleaseRequest):
                    return True
                send(connection, self._answer(request))
        return False

    def _answer(self, request: Request) -> Reply:
        if isinstance(request, VitalSignsRequest):
            return Signs(signs=self._transport.vital_signs())
        if isinstance(request, EndFactsRequest):
            words = self._transport.last_words()
            return EndFacts(facts=self._transport.end_facts(), last_words=words, taken_down=self._ending_now)
        if isinstance(request, LimitRequest):
            self._transport.limit_memory(request.mebibytes)
        elif isinstance(request, KillRequest):
            self._transport.end()
        return Acknowledged()

    def _recycle(self) -> None:
        """Clean up after a run, however it ended; end the session if that fails."""
        with self._changed:
            self._recycling = True
        usable = self._server.disconnect()
        if usable:
            self._transport.limit_memory(None)
            usable = self._folders.clear()
        with self._changed:
            self._in_use = self._recycling = False
            self._ending = self._ending or not usable
            self._idle_since = time.monotonic()
            self._changed.notify_all()
