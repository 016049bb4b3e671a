"""Frames on a byte stream: four magic bytes, the length (four bytes, big-endian), the message.

Thanks to the magic, a library that prints on the channel causes a readable error, not a length of gigabytes.
"""

from __future__ import annotations

import struct
from typing import Protocol

MAGIC = b"BSK1"
HEADER = struct.Struct(">4sI")
MAX_FRAME = 16 * 1024 * 1024  # bytes


class FrameError(Exception):
    """The stream does not contain frames, or ends inside one. `data` holds the first invalid bytes."""

    def __init__(self, message: str, data: bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class ByteSource(Protocol):
    """A readable stream, as of Python's io."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to `size` bytes, b"" at the end."""


class ByteSink(Protocol):
    """A writable stream, as of Python's io."""

    def write(self, data: bytes, /) -> object:
        """Write all of `data`."""

    def flush(self) -> None:
        """Flush the buffer."""


def _read_exactly(source: ByteSource, size: int) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing:
        part = source.read(missing)
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def read_frame(source: ByteSource) -> bytes | None:
    """Return the next message, or None at the end of the stream.

    Raises FrameError if the bytes are not a frame or the stream ends inside one.
    """
    header = _read_exactly(source, HEADER.size)
    if not header:
        return None
    if not header.startswith(MAGIC[: len(header)]) or (len(header) == HEADER.size and header[:4] != MAGIC):
        raise FrameError("not a bskernel frame", header)
    if len(header) < HEADER.size:
        raise FrameError("the stream ended inside a frame's header", header)
    size: int = HEADER.unpack(header)[1]
    if size > MAX_FRAME:
        raise FrameError(f"frame of {size} bytes; the limit is {MAX_FRAME}", header)
    body = _read_exactly(source, size)
    if len(body) < size:
        raise FrameError(f"the stream ended inside a frame: {len(body)} of {size} bytes", body[:200])
    return body


def write_frame(sink: ByteSink, message: bytes, *, flush: bool = True) -> None:
    """Write one message, and flush it unless told otherwise. Raises FrameError if it is longer than MAX_FRAME."""
    if len(message) > MAX_FRAME:
        raise FrameError(f"message of {len(message)} bytes; the limit is {MAX_FRAME}")
    sink.write(HEADER.pack(MAGIC, len(message)) + message)
    if flush:
        sink.flush()
