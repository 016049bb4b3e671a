"""Compare the simulation of a netlist with the simulation of its RTL."""

from __future__ import annotations

import msgspec

from bskernel_executors.exchange.simulation import Simulation
from bskernel_executors.rtl_sim.simulator import Measurement
from bskernel_executors.sdk import StepFailure


class NetlistCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """netlist_check.json: what netlist and RTL have in common. If they differ, the step fails."""

    frames: int
    mismatches: int
    cycles_per_frame: float | None
    latency_cycles: int
    total_cycles: int
    stall_percent: int


def check_cycles(netlist: Measurement, rtl: Simulation) -> None:
    """Raise StepFailure unless netlist and RTL take the same cycles."""
    if len(netlist.spans) != rtl.frames:
        raise StepFailure(
            category="config",
            message=f"the RTL was simulated with {rtl.frames} frames, but the reference has {len(netlist.spans)}",
        )
    names = ("latency_cycles", "cycles_per_frame", "total_cycles")
    pairs = [(name, getattr(netlist, name), getattr(rtl, name)) for name in names]
    different = [f"{name}: {mine} in the netlist, {other} in the RTL" for name, mine, other in pairs if mine != other]
    if different:
        raise StepFailure(
            message=f"netlist and RTL differ in {different[0]}",
            cause=tuple(different[1:]),
            hint="synthesis changed the design's behaviour, so the RTL's measurements do not apply to the netlist",
        )
