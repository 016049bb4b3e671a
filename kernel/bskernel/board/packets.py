"""Packets between host and board, as bskernel_executors/open_board/README.md describes them. Pure.

A packet is A5 5A, kind, sequence number, length (3 bytes), payload, checksum (2 bytes), and numbers begin with the
lowest byte. The checksum is CRC-16/IBM-3740 over what stands between A5 5A and it.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

import msgspec

SYNC = b"\xa5\x5a"
_HEAD = 5  # kind, sequence number, length
_SUM = 2


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """One packet. `kind` is a letter."""

    kind: str
    number: int  # of the request, from 0 to 255; an answer has that of its request
    payload: bytes = b""


def encode(packet: Packet) -> bytes:
    """The packet as bytes."""
    body = packet.kind.encode("latin-1") + bytes([packet.number])
    body += len(packet.payload).to_bytes(3, "little") + packet.payload
    return SYNC + body + binascii.crc_hqx(body, 0xFFFF).to_bytes(_SUM, "little")


class PacketReader:
    """Finds packets in bytes as they come. What is no packet is skipped; `skipped` counts these bytes."""

    def __init__(self, most: int) -> None:
        """Expect payloads of at most `most` bytes."""
        self._most = most
        self._waiting = bytearray()
        self.skipped = 0

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Take bytes, and return the packets that they complete."""
        self._waiting += data
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> Packet | None:
        while True:
            at = self._waiting.find(SYNC)
            if at < 0:
                # The last byte may begin what tells a packet.
                self._skip(len(self._waiting) - self._waiting.endswith(SYNC[:1]))
                return None
            self._skip(at)
            if len(self._waiting) < len(SYNC) + _HEAD:
                return None
            length = int.from_bytes(self._waiting[4:7], "little")
            end = len(SYNC) + _HEAD + length
            if length > self._most:
                self._skip(1)
            elif len(self._waiting) < end + _SUM:
                return None
            elif (
                binascii.crc_hqx(self._waiting[2:end], 0xFFFF).to_bytes(_SUM, "little")
                != self._waiting[end : end + 2]
            ):
                self._skip(1)
            else:
                kind, number, payload = chr(self._waiting[2]), self._waiting[3], bytes(self._waiting[7:end])
                del self._waiting[: end + _SUM]
                return Packet(kind=kind, number=number, payload=payload)

    def _skip(self, count: int) -> None:
        del self._waiting[:count]
        self.skipped += count
