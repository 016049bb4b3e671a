"""What a board answers to a request for results."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The results of some frames, and the cycles that the design took, from its first beat in to a last beat out."""

    outputs: bytes
    frames: int
    first_cycles: int  # of the first frame
    all_cycles: int
