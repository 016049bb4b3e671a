"""Relays frames between a server and the runs that use it one after another, and tracks the running steps.

The daemon relays instead of handing the server's pipes to the run for two reasons. A run may be killed at any byte:
with a relay only whole commands reach the server, and the daemon knows which steps to cancel. And only the engine's
SDK can split a container's stream: with a relay a run needs no SDK. It costs about 0.1 ms per message.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from bskernel_protocol import (
    Cancel,
    FrameError,
    ProtocolError,
    Ready,
    RunStep,
    StepFinished,
    decode_command,
    decode_event,
    encode,
    read_frame,
    write_frame,
)
from bskernel_protocol.frames import HEADER, MAGIC, MAX_FRAME

from bskernel.host.thread import Thread
from bskernel.runtime.channel import Transport
from bskernel.runtime.warm.sockets import SocketStream

_GRACE_S = 2.0


class _FrameParser:
    """Splits a stream into messages; returns none after the first bytes that are not a frame."""

    def __init__(self) -> None:
        self._rest = b""
        self.torn = False

    def feed(self, data: bytes) -> list[bytes]:
        messages: list[bytes] = []
        self._rest += data
        while not self.torn and len(self._rest) >= HEADER.size:
            magic, size = HEADER.unpack(self._rest[: HEADER.size])
            self.torn = magic != MAGIC or size > MAX_FRAME
            if self.torn or len(self._rest) < HEADER.size + size:
                break
            messages.append(self._rest[HEADER.size : HEADER.size + size])
            self._rest = self._rest[HEADER.size + size :]
        return messages


class ServerRelay:
    """Relays between a server and the run that uses it; calls `changed` when the server is ready or has ended."""

    def __init__(self, transport: Transport, changed: Callable[[], None]) -> None:
        self._transport = transport
        self._notify = changed
        self._changed = threading.Condition()
        self._parser = _FrameParser()
        self._ready: bytes | None = None
        self._gone = False
        self._running: set[str] = set()
        self._user: socket.socket | None = None
        self._commands: threading.Thread | None = None

    def start(self) -> None:
        """Start relaying the server's events."""
        Thread(target=self._relay_events, name="events", daemon=True).start()

    @property
    def ready(self) -> bool:
        """True once the server has imported its libraries."""
        return self._ready is not None

    @property
    def gone(self) -> bool:
        """True once the server has ended."""
        return self._gone

    def connect(self) -> socket.socket:
        """The run's end of a new connection. Like any server's stream it starts with Ready."""
        ours, theirs = socket.socketpair()
        with self._changed:
            if self._ready is not None:
                write_frame(SocketStream(ours), self._ready)
            if self._gone:
                ours.shutdown(socket.SHUT_WR)
            self._user = ours
        self._commands = Thread(target=self._relay_commands, args=(ours,), name="commands", daemon=True)
        self._commands.start()
        return theirs

    def disconnect(self) -> bool:
        """Disconnect the run and cancel its steps; True when the server can be used again."""
        with self._changed:
            user, self._user = self._user, None
        if user is None or self._commands is None:
            return not self._gone
        with contextlib.suppress(OSError):
            user.shutdown(socket.SHUT_RDWR)
        self._commands.join(_GRACE_S)
        stuck = self._commands.is_alive()
        user.close()
        with self._changed:
            if self._running and not self._gone and not stuck:
                with contextlib.suppress(OSError, ValueError):
                    for directory in sorted(self._running):
                        write_frame(self._transport.sink, encode(Cancel(directory=directory)))
                self._changed.wait_for(lambda: self._gone or not self._running, _GRACE_S)
            return not (stuck or self._gone or self._running or self._parser.torn)

    def _relay_commands(self, user: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, FrameError, ProtocolError):
            while (frame := read_frame(SocketStream(user))) is not None:
                command = decode_command(frame)
                if isinstance(command, RunStep):
                    with self._changed:
                        self._running.add(command.directory)
                write_frame(self._transport.sink, frame)

    def _relay_events(self) -> None:
        try:
            self._relay_until_the_end()
        finally:
            self._note_end()

    def _relay_until_the_end(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := self._transport.source.read(1 << 16):
                with self._changed:
                    was_ready = self.ready
                    for message in self._parser.feed(data):
                        self._note(message)
                    user = self._user
                if self.ready != was_ready:
                    self._notify()
                if user is not None:
                    # Unchanged, even if it is not a frame: the run reports the error.
                    with contextlib.suppress(OSError):
                        user.sendall(data)

    def _note_end(self) -> None:
        with self._changed:
            self._gone = True
            self._changed.notify_all()
            user = self._user
        if user is not None:
            with contextlib.suppress(OSError):
                user.shutdown(socket.SHUT_WR)
        self._notify()

    def _note(self, message: bytes) -> None:
        try:
            event = decode_event(message)
        except ProtocolError:
            self._parser.torn = True
            return
        if isinstance(event, Ready):
            self._ready = message
        elif isinstance(event, StepFinished):
            self._running.discard(event.directory)
            self._changed.notify_all()
