"""board.json: the design on a board and the frames that it is held to, as rtl-sim's `wrap_board` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from bskernel.core.errors import ConfigError

FACTS, FRAMES, EXPECTED = "board.json", "frames.bin", "expected.bin"


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


def read_frames(folder: Path) -> Frames:
    """Read the folder `artifacts/board` of a build. Raises ConfigError."""
    try:
        facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)
        inputs, expected = ((folder / name).read_bytes() for name in (FRAMES, EXPECTED))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{error.filename}: no such file: this build has no board",
            hint='build with flow = "board" and a target.board',
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{folder}: cannot be read: {error}", hint="run the build again") from error
    sizes = (facts.frames * facts.input.frame_bytes, facts.frames * facts.output.frame_bytes)
    if (len(inputs), len(expected)) != sizes:
        raise ConfigError(
            f"{folder}: its files hold {len(inputs)} and {len(expected)} bytes in place of {sizes[0]} and {sizes[1]}",
            hint="run the build again",
        )
    return Frames(facts=facts, inputs=inputs, expected=expected)
