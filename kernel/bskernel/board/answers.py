"""What a host knows of a design on a board, what it sends, and what the board answers. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec


class StreamFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How a frame travels: `beats` of `width` bits, each with `parallel` values of `bits` bits in its lowest bits."""

    width: int
    beats: int
    parallel: int
    bits: int
    signed: bool

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame."""
        return self.beats * self.width // 8

    def read_values(self, frame: bytes) -> list[int]:
        """The values of a frame. What lies above a beat's values is ignored."""
        step, mask, sign = self.width // 8, (1 << self.bits) - 1, 1 << (self.bits - 1)
        values = []
        for at in range(0, len(frame), step):
            beat = int.from_bytes(frame[at : at + step], "little")
            for place in range(self.parallel):
                value = beat >> (place * self.bits) & mask
                values.append(value - 2 * sign if self.signed and value & sign else value)
        return values


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of board.json that a host needs."""

    board: str
    identity: str
    clock_hz: int
    baud: int
    frames_per_request: int
    test_frames: int
    input: StreamFacts
    output: StreamFacts
    frames: int
    rule: Literal["largest", "first", "tail"]
    predictions: tuple[int, ...] | None
    labels: tuple[int, ...] | None


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and what Python says of it: a frame after the other."""

    facts: Facts
    inputs: bytes
    expected: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The results of some frames, and the cycles that the design took, from its first beat in to a last beat out."""

    outputs: bytes
    frames: int
    first_cycles: int  # of the first frame
    all_cycles: int


class SelfTest(msgspec.Struct, frozen=True, kw_only=True):
    """What a self-test found. `verdict`: 0 not done, 1 passed, 2 failed."""

    verdict: int
    frames: int
    wrong: int
    first_cycles: int
    all_cycles: int
