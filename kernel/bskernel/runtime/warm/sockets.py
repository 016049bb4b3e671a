"""Unix sockets: the peer's user, messages, and byte streams."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import Any

import msgspec
from bskernel_protocol import read_frame, write_frame

from bskernel.host.process import signs_of
from bskernel.runtime.warm.messages import Reply, Request

_SLICE_S = 0.5  # how often to look at a peer that does not answer
_STOPPED_S = 2.0  # a peer that is stopped for longer will not answer
_MESSAGE_S = 5.0  # how long a message may take once it has begun, in either direction
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


def peer_uid(connection: socket.socket) -> int:
    """The user ID of the peer, as the kernel of the operating system reports it."""
    return _credentials(connection)[1]


def peer_pid(connection: socket.socket) -> int:
    """The PID of the process that listens at the other end; 0 when it is in another PID namespace."""
    return _credentials(connection)[0]


def _credentials(connection: socket.socket) -> tuple[int, int]:
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(data)
    return pid, uid


def require_same_user(connection: socket.socket) -> None:
    """Raise PermissionError when the peer is another user."""
    uid = peer_uid(connection)
    if uid != os.getuid():
        raise PermissionError(f"the peer of the socket is user {uid}, not user {os.getuid()}")


class PeerStoppedError(OSError):
    """The process at the other end is stopped: it will not answer until somebody continues it."""


class AnswerStream:
    """A connected socket as the source of an answer: within `limit_s` seconds, and not from a stopped peer."""

    def __init__(self, connection: socket.socket, limit_s: float) -> None:
        self._connection = connection
        self._left_s = limit_s
        self._stopped_s = 0.0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; b"" at the end. Raises TimeoutError, PeerStoppedError, OSError."""
        while not select.select([self._connection], [], [], _SLICE_S)[0]:
            self._left_s -= _SLICE_S
            stopped = signs_of(peer_pid(self._connection)).state == "stopped"
            self._stopped_s = self._stopped_s + _SLICE_S if stopped else 0.0
            if self._stopped_s >= _STOPPED_S:
                raise PeerStoppedError(f"process {peer_pid(self._connection)} is stopped")
            if self._left_s <= 0:
                raise TimeoutError("no answer")
        return self._connection.recv(size)


class RequestStream:
    """A connected socket as the source of one request, which may begin within `wait_s` seconds, or at any time."""

    def __init__(self, connection: socket.socket, wait_s: float | None) -> None:
        self._connection = connection
        self._left_s = wait_s
        self._end_s: float | None = None  # when it must be whole

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; b"" at the end. Raises TimeoutError, OSError."""
        now = time.monotonic()
        if self._end_s is not None and now >= self._end_s:
            raise TimeoutError("a request that does not end")
        self._connection.settimeout(self._left_s if self._end_s is None else self._end_s - now)
        data = self._connection.recv(size)
        if self._end_s is None:
            self._end_s = time.monotonic() + _MESSAGE_S
        return data


class SocketStream:
    """A connected socket as a byte source and sink for frames."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        return self._connection.recv(size)

    def write(self, data: bytes, /) -> None:
        """Send all bytes."""
        self._connection.sendall(data)

    def flush(self) -> None:
        """Do nothing: writes are not buffered."""


def send(connection: socket.socket, message: Request | Reply) -> None:
    """Send a message. Raises OSError when the peer is gone."""
    write_frame(SocketStream(connection), msgspec.json.encode(message))


def receive_request(connection: socket.socket, wait_s: float | None = None) -> Request | None:
    """The next request, None at the end; it begins within `wait_s` seconds, or at any time.

    Once begun, it must be whole within seconds, and so must its answer be taken. Raises TimeoutError, OSError,
    FrameError, msgspec.DecodeError.
    """
    frame = read_frame(RequestStream(connection, wait_s))
    connection.settimeout(_MESSAGE_S)
    return None if frame is None else _decode(frame, Request)


def receive_reply(connection: socket.socket, limit_s: float) -> Reply | None:
    """The next reply, None at the end.

    Raises TimeoutError after `limit_s` seconds, PeerStoppedError, OSError, FrameError, msgspec.DecodeError.
    """
    frame = read_frame(AnswerStream(connection, limit_s))
    return None if frame is None else _decode(frame, Reply)


def _decode(frame: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(frame, type=kind)
    except (RecursionError, UnicodeDecodeError) as error:  # a value that nests deeper than the stack
        raise msgspec.DecodeError(str(error)) from error
