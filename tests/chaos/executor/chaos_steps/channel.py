"""Frames as a server sends them."""

import struct
from typing import Any

import msgspec


def frame(message: dict[str, Any]) -> bytes:
    """One message with its header."""
    data = msgspec.msgpack.encode(message)
    return b"BSK1" + struct.pack(">I", len(data)) + data
