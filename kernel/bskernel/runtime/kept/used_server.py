"""A server that one run after the other uses: its frames are relayed, and what it is busy with is known.

The keeper relays and does not hand the server's pipes to the run. A run may be killed at any byte: only whole
commands reach the server, and the keeper knows which steps to cancel. A container's stream, which only the engine's
SDK can take apart, stays with the keeper: a run needs no SDK. It costs some 0.1 ms for each message.
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
from bskernel_protocol.frames import HEADER, MAGIC

from bskernel.runtime.framed import Carrier
from bskernel.runtime.kept.peer import SocketStream

_GRACE_S = 2.0


class _Watch:
    """Whole messages in what passes by; after the first bytes that are no frame, none."""

    def __init__(self) -> None:
        self._rest = b""
        self.torn = False

    def messages(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        self._rest += data
        while not self.torn and len(self._rest) >= HEADER.size:
            magic, size = HEADER.unpack(self._rest[: HEADER.size])
            self.torn = magic != MAGIC
            if self.torn or len(self._rest) < HEADER.size + size:
                break
            found.append(self._rest[HEADER.size : HEADER.size + size])
            self._rest = self._rest[HEADER.size + size :]
        return found


class UsedServer:
    """Relays between a server and whoever uses it; calls `changed` when the server is ready and when it has ended."""

    def __init__(self, carrier: Carrier, changed: Callable[[], None]) -> None:
        self._carrier = carrier
        self._tell = changed
        self._changed = threading.Condition()
        self._watch = _Watch()
        self._ready: bytes | None = None
        self._gone = False
        self._running: set[str] = set()
        self._user: socket.socket | None = None
        self._commands: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen to it."""
        threading.Thread(target=self._relay_events, name="events", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Has it imported its libraries?"""
        return self._ready is not None

    @property
    def gone(self) -> bool:
        """Has it ended?"""
        return self._gone

    def connect(self) -> socket.socket:
        """The user's end of a new connection, which begins, as any server's, with Ready."""
        ours, theirs = socket.socketpair()
        with self._changed:
            if self._ready is not None:
                write_frame(SocketStream(ours), self._ready)
            if self._gone:
                ours.shutdown(socket.SHUT_WR)
            self._user = ours
        self._commands = threading.Thread(target=self._relay_commands, args=(ours,), name="commands", daemon=True)
        self._commands.start()
        return theirs

    def disconnect(self) -> bool:
        """Cancel what runs and forget the user; True when the server can be used again."""
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
                        write_frame(self._carrier.sink, encode(Cancel(directory=directory)))
                self._changed.wait_for(lambda: self._gone or not self._running, _GRACE_S)
            return not (stuck or self._gone or self._running or self._watch.torn)

    def _relay_commands(self, user: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, FrameError, ProtocolError):
            while (frame := read_frame(SocketStream(user))) is not None:
                command = decode_command(frame)
                if isinstance(command, RunStep):
                    with self._changed:
                        self._running.add(command.directory)
                write_frame(self._carrier.sink, frame)

    def _relay_events(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := self._carrier.source.read(1 << 16):
                with self._changed:
                    was_ready = self.ready
                    for message in self._watch.messages(data):
                        self._note(message)
                    user = self._user
                if self.ready != was_ready:
                    self._tell()
                if user is not None:
                    # As it came, also when it is no frame: the run says what was wrong.
                    with contextlib.suppress(OSError):
                        user.sendall(data)
        with self._changed:
            self._gone = True
            self._changed.notify_all()
            user = self._user
        if user is not None:
            with contextlib.suppress(OSError):
                user.shutdown(socket.SHUT_WR)
        self._tell()

    def _note(self, message: bytes) -> None:
        try:
            event = decode_event(message)
        except ProtocolError:
            self._watch.torn = True
            return
        if isinstance(event, Ready):
            self._ready = message
        elif isinstance(event, StepFinished):
            self._running.discard(event.directory)
            self._changed.notify_all()
