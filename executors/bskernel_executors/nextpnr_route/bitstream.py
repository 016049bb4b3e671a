"""Bitstreams with the packer of each family, and unpacked again as a check."""

from __future__ import annotations

from pathlib import Path

from bskernel_executors.exchange.synthesis import Implementation
from bskernel_executors.lattice.devices import LatticePart
from bskernel_executors.nextpnr_route.programs import PROGRAMS, SHOWN, run_program
from bskernel_executors.sdk import StepFailure


def check_packable(result: Implementation, part: LatticePart, allow_missed_timing: bool) -> None:
    """Raise StepFailure for a design that must not be packed.

    Category config: routed for another part, or without pins. Timing: its clock is missed, and that is not allowed.
    """
    if result.part != part.name:
        raise StepFailure(
            category="config",
            message=f"the design was routed for {result.part}, not for {part.name}",
            hint="route it again: step route must have the same target.part",
        )
    if result.pins == "out-of-context":
        raise StepFailure(
            category="config",
            message="the design was routed out of context: none of it is at a pin, so a bitstream would do nothing",
            hint='end at the routed design ([flow] output_type = "routed"), or set pins = "free" of step route',
        )
    if result.met is not True and not allow_missed_timing:
        reached = f" it reaches {result.fmax_mhz:g} MHz of" if result.fmax_mhz is not None else ""
        raise StepFailure(
            category="timing",
            message=f"the design misses its clock:{reached} {1e3 / result.clock_ns:g} MHz, so it is not packed",
            hint="set a longer target.clock_ns, try more seeds ([step.route.parameters] seeds = 8), or allow it:"
            " [step.pack.parameters] allow_missed_timing = true",
        )


def pack_twice(folder: Path, part: LatticePart, *, translated: Path) -> Path:
    """Pack folder/design.config, unpack the bitstream, pack that again; return the bitstream.

    Raises StepFailure (synthesis) when the two bitstreams differ.
    """

    programs = PROGRAMS[part.family]
    options = ("--compress",) if part.family == "ecp5" else ()

    def run(program: str, *arguments: str) -> None:
        run_program(
            programs.package, program, arguments,
            folder=folder, translated=translated, failed=f"{program} failed", error="error|fail",
        )  # fmt: skip

    first, second = folder / "design.bit", folder / "again.bit"
    run(programs.pack, *options, f"{SHOWN}/design.config", f"{SHOWN}/{first.name}")
    run(programs.unpack, f"{SHOWN}/{first.name}", f"{SHOWN}/again.config")
    run(programs.pack, *options, f"{SHOWN}/again.config", f"{SHOWN}/{second.name}")
    if first.read_bytes() != second.read_bytes():
        raise StepFailure(
            category="synthesis",
            message=f"the bitstream for {part.name} is another one after unpacking and packing it again",
            hint="the packer does not know all of this design's configuration: please report it",
        )
    return first
