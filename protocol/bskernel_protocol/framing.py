"""Frames on a byte stream: four magic bytes, a length, a message.

The magic makes a library's stray print on the channel an error that can be shown, not a length of gigabytes.
"""

from __future__ import annotations

import struct
from typing import Protocol

MAGIC = b"BSK1"
HEADER = struct.Struct(">4sI")
MAX_FRAME = 16 * 1024 * 1024


class FrameError(Exception):
    """The stream does not carry frames, or ends inside one; `data` are the first bytes that were wrong."""

    def __init__(self, message: str, data: bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class ByteSource(Protocol):
    """What can be read: fewer bytes than asked for only at the end or when none are ready yet."""

    def read(self, size: int, /) -> bytes | None:
        """Up to `size` bytes; b"" at the end."""


class ByteSink(Protocol):
    """What can be written and flushed."""

    def write(self, data: bytes, /) -> object:
        """Write all of `data`."""

    def flush(self) -> None:
        """Hand on what was written."""


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
    """The next message, or None at the end of the stream.

    Raises FrameError when the bytes are no frame or the stream ends inside one.
    """
    header = _read_exactly(source, HEADER.size)
    if not header:
        return None
    if not header.startswith(MAGIC[: len(header)]) or (len(header) == HEADER.size and header[:4] != MAGIC):
        raise FrameError("bytes that are no bskernel frame", header)
    if len(header) < HEADER.size:
        raise FrameError("the stream ended inside a frame's header", header)
    size: int = HEADER.unpack(header)[1]
    if size > MAX_FRAME:
        raise FrameError(f"a frame of {size} bytes; at most {MAX_FRAME} are allowed", header)
    body = _read_exactly(source, size)
    if len(body) < size:
        raise FrameError(f"the stream ended inside a frame: {len(body)} of {size} bytes", body[:200])
    return body


def write_frame(sink: ByteSink, message: bytes) -> None:
    """Write one message and flush it. Raises FrameError when it is too long."""
    if len(message) > MAX_FRAME:
        raise FrameError(f"a message of {len(message)} bytes; at most {MAX_FRAME} are allowed")
    sink.write(HEADER.pack(MAGIC, len(message)) + message)
    sink.flush()
