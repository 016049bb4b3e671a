"""Unix sockets: the peer's user, messages, and byte streams."""

from __future__ import annotations

import os
import socket
import struct

import msgspec
from bskernel_protocol import read_frame, write_frame

from bskernel.runtime.warm.messages import Reply, Request

_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


def peer_uid(connection: socket.socket) -> int:
    """The user ID of the peer, as the kernel of the operating system reports it."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(data)[1]
    return uid


def require_same_user(connection: socket.socket) -> None:
    """Raise PermissionError when the peer is another user."""
    uid = peer_uid(connection)
    if uid != os.getuid():
        raise PermissionError(f"the peer of the socket is user {uid}, not user {os.getuid()}")


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


def receive_request(connection: socket.socket) -> Request | None:
    """The next request, None at the end. Raises OSError, FrameError, msgspec.DecodeError."""
    frame = read_frame(SocketStream(connection))
    return None if frame is None else msgspec.json.decode(frame, type=Request)


def receive_reply(connection: socket.socket) -> Reply | None:
    """The next reply, None at the end. Raises OSError, FrameError, msgspec.DecodeError."""
    frame = read_frame(SocketStream(connection))
    return None if frame is None else msgspec.json.decode(frame, type=Reply)
