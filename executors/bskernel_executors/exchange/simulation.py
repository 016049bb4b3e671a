"""simulation.json: what a simulation of a design measured."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.exchange.artifact_file import read_artifact

SIMULATION = "simulation.json"


class StreamCycles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cycles of a simulation, by what a stream did. In all other cycles it was neither valid nor ready."""

    moved: int  # valid and ready
    back_pressure: int  # valid, but not ready
    starved: int  # ready, but not valid


class Simulation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was measured over all frames. Cycles count from the end of the reset."""

    frames: int
    mismatches: int  # frames whose outputs differ from Python's
    cycles_per_frame: float | None  # between the ends of frames, in the second half; None with fewer than 4 frames
    estimated_cycles: int  # FINN's, per frame
    latency_cycles: int  # from the first frame's first input beat to its last output beat
    total_cycles: int
    fifo_maxima: dict[str, int]  # the most values that each FIFO held
    fifo_depths: dict[str, int]  # values
    fifo_bits: int  # of all FIFOs together
    streams: dict[str, StreamCycles]
    accuracy: float | None = None  # fraction of labelled frames, with the host's head and tail
    stall_percent: int = 0  # share of cycles in which the output was not ready


_DECODER = msgspec.json.Decoder(Simulation)


def read_simulation(path: Path, *, category: FailureCategory = "config") -> Simulation:
    """Read a simulation. Raises StepFailure (`category`)."""
    return read_artifact(path, _DECODER, SIMULATION, writer="rtl-sim:simulate", category=category)
