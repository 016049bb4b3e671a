"""board.json: what a host must know to run a design on a board. frames.bin and expected.bin lie beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from bskernel_executors.exchange.artifact_file import read_artifact
from bskernel_executors.exchange.design import StreamFormat

BOARD, FRAMES, EXPECTED = "board.json", "frames.bin", "expected.bin"
# How a prediction follows from a frame's values: the index of the largest (of equal ones the first), the first value,
# or by the host's tail alone.
Rule = Literal["largest", "first", "tail"]


class BoardFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board's design, and the frames that it is held to: as beats, the first value in the lowest bits."""

    board: str
    part: str
    identity: str  # 16 hexadecimal digits: of the design and its wrapper
    clock_hz: int
    oscillator_hz: int
    baud: int
    divisor: int  # cycles of a bit
    frames_per_request: int
    test_frames: int  # of the self-test; 0: there is none
    input: StreamFormat
    output: StreamFormat
    frames: int
    rule: Rule
    predictions: tuple[int, ...] | None  # Python's, for the frames; None without labels
    labels: tuple[int, ...] | None


_DECODER = msgspec.json.Decoder(BoardFacts)


def read_board_facts(folder: Path) -> BoardFacts:
    """Read board.json in a folder. Raises StepFailure (config)."""
    return read_artifact(folder / BOARD, _DECODER, BOARD, writer="rtl-sim:wrap_board")
