"""What connects a build with a worker of this machine: two sockets that know no address, and messages as bytes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from multiprocessing.connection import Connection

_LOCK_S = 1.0  # how long a message that nobody relies on may wait for one that is being sent


class WorkerLink:
    """One end of a connection. One thread receives; any thread sends."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`, of a connected stream socket, is closed with the link."""
        self._connection = Connection(descriptor)
        self._sending = threading.Lock()

    def send(self, message: bytes) -> None:
        """Send a message whole. Raises OSError when the other end is closed."""
        with self._sending:
            self._connection.send_bytes(message)

    def send_soon(self, message: bytes) -> None:
        """Send a message unless another one cannot be sent. Raises OSError when the other end is closed."""
        if self._sending.acquire(timeout=_LOCK_S):
            try:
                self._connection.send_bytes(message)
            finally:
                self._sending.release()

    def receive(self) -> bytes:
        """Wait for a message. Raises EOFError or OSError when the other end is closed."""
        return self._connection.recv_bytes()

    def shut(self) -> None:
        """Let every `receive` and `send` of both ends fail, now and later. It must not be closed meanwhile."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this end. Nobody may be using it."""
        self._connection.close()


def connect() -> tuple[WorkerLink, int]:
    """The build's end of a new connection, and the descriptor of the worker's end, which this process must close."""
    here, there = socket.socketpair()
    return WorkerLink(here.detach()), there.detach()
