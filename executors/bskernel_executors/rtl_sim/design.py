"""A stitched design, as its design.json describes it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel_executors.rtl_sim.packing import Stream
from bskernel_executors.sdk import StepFailure


class Fifo(msgspec.Struct, frozen=True, kw_only=True):
    """One FIFO: bits of a value, depth in values."""

    name: str
    width: int
    depth: int


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of design.json. A netlist has neither FIFOs nor streams to look at."""

    top: str
    sources: tuple[str, ...]
    input: Stream
    output: Stream
    layers: tuple[str, ...]
    fifos: tuple[Fifo, ...]
    streams: tuple[str, ...]
    smallest_fifo: int = 2
    estimated_cycles: int


def read_design(rtl: Path) -> Design:
    """The design in a folder. Raises StepFailure (config)."""
    try:
        return msgspec.json.decode((rtl / "design.json").read_bytes(), type=Design)
    except (OSError, msgspec.DecodeError) as error:
        raise StepFailure(category="config", message=f"rtl/design.json cannot be read: {error}") from error
