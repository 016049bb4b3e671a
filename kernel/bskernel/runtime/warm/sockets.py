"""A Unix socket's other end: who it is, messages, and a stream of bytes."""

from __future__ import annotations

import os
import socket
import struct

import msgspec
from bskernel_protocol import read_frame, write_frame

from bskernel.runtime.warm.messages import Reply, Request

_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


def peer_uid(connection: socket.socket) -> int:
    """The user who opened the other end; the system vouches for it."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(data)[1]
    return uid


def require_same_user(connection: socket.socket) -> None:
    """Raises PermissionError when the other end is another user's."""
    uid = peer_uid(connection)
    if uid != os.getuid():
        raise PermissionError(f"the other end of the socket is user {uid}'s, not user {os.getuid()}'s")


class SocketStream:
    """A connected socket as what frames are read from and written to."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        return self._connection.recv(size)

    def write(self, data: bytes, /) -> None:
        """All of them."""
        self._connection.sendall(data)

    def flush(self) -> None:
        """Nothing is held back."""


def send(connection: socket.socket, message: Request | Reply) -> None:
    """Raises OSError when the other end is gone."""
    write_frame(SocketStream(connection), msgspec.json.encode(message))


def receive_request(connection: socket.socket) -> Request | None:
    """The next, or None at the end. Raises OSError, FrameError, msgspec.DecodeError."""
    frame = read_frame(SocketStream(connection))
    return None if frame is None else msgspec.json.decode(frame, type=Request)


def receive_reply(connection: socket.socket) -> Reply | None:
    """The next, or None at the end. Raises OSError, FrameError, msgspec.DecodeError."""
    frame = read_frame(SocketStream(connection))
    return None if frame is None else msgspec.json.decode(frame, type=Reply)
