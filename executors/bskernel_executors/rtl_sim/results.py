"""What is written of simulations, and the comparison of two of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel_executors.rtl_sim.simulation import Measured
from bskernel_executors.sdk import StepFailure


class StreamCycles(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream spent the cycles of a simulation; in the others neither side was there."""

    moved: int
    back_pressure: int  # a value waits, and is not taken
    starved: int  # its taker waits for a value


class Simulation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """simulation.json: what was measured."""

    frames: int
    mismatches: int
    cycles_per_frame: float | None  # between the ends of frames, in the second half; None with fewer than 4 frames
    estimated_cycles: int
    latency_cycles: int  # of the first frame: from its first beat taken to its last beat given
    total_cycles: int
    fifo_maxima: dict[str, int]  # the most that each FIFO held
    fifo_depths: dict[str, int]
    fifo_bits: int  # of all FIFOs
    streams: dict[str, StreamCycles]
    accuracy: float | None = None  # fraction of labelled frames; the host's head and tail are in it
    stall_percent: int = 0


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """fifo_config: depths as FINN's step_set_fifo_depths reads them (fifo_config_file), and how they were found."""

    fifo_depths: dict[str, int]
    fifo_sizes: dict[str, int]  # bits
    impl_style: dict[str, str]
    ram_style: dict[str, str]
    total_fifo_size: float = msgspec.field(name="total_fifo_size_kiB")
    cycles_per_frame: float
    estimated_cycles: int
    cycles_per_frame_unlimited: float
    high_water_marks: dict[str, int]
    uniform_depth: int  # that would be enough for all alike
    uniform_fifo_size: float = msgspec.field(name="uniform_fifo_size_kiB")
    simulations: int


class NetlistCheck(msgspec.Struct, frozen=True, kw_only=True):
    """netlist_check.json: what the netlist and the RTL have in common; where they differ the step fails."""

    frames: int
    mismatches: int
    cycles_per_frame: float | None
    latency_cycles: int
    total_cycles: int
    stall_percent: int


def read_simulation(path: Path) -> Simulation:
    """A simulation.json. Raises StepFailure (config)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Simulation)
    except (OSError, msgspec.DecodeError) as error:
        raise StepFailure(category="config", message=f"simulation cannot be read: {error}") from error


def check_cycles(netlist: Measured, rtl: Simulation) -> None:
    """Raises StepFailure when the netlist's cycles are not the RTL's."""
    if len(netlist.spans) != rtl.frames:
        raise StepFailure(
            category="config",
            message=f"the RTL was simulated with {rtl.frames} frames, the reference has {len(netlist.spans)}",
        )
    names = ("latency_cycles", "cycles_per_frame", "total_cycles")
    pairs = [(name, getattr(netlist, name), getattr(rtl, name)) for name in names]
    different = [f"{name}: {mine} in the netlist, {other} in the RTL" for name, mine, other in pairs if mine != other]
    if different:
        raise StepFailure(
            message=f"the netlist does not keep the RTL's cycles: {different[0]}",
            cause=tuple(different[1:]),
            hint="synthesis changed what the design does: what was measured of the RTL does not hold for it",
        )
