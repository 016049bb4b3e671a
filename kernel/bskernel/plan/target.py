"""Checks the target of a build: its board, part, clock and throughput. Pure.

The kernel knows no boards: executors list those that they know in their catalogues.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bskernel_protocol import EntryDescription

from bskernel.config import TargetSection
from bskernel.core.catalogue import ExecutorInfo
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices, nearest

PART = "target.part"
OBJECTIVE = "target.objective"
BOARDS = "plan.boards"  # a value of the plan: the boards that its executors know, with their parts
# Families of devices by how their parts' names begin, to name one that no step takes: maker, and family.
_FAMILIES = {
    "gw": ("Gowin", "Gowin"),
    "ice": ("Lattice", "iCE40"),
    "lfe2": ("Lattice", "ECP2"),
    "lfe3": ("Lattice", "ECP3"),
    "lfe5": ("Lattice", "ECP5"),
    "lcmxo": ("Lattice", "MachXO"),
    "lifcl": ("Lattice", "Nexus"),
    "lfd2nx": ("Lattice", "Nexus"),
    "lfcpnx": ("Lattice", "Nexus"),
    "ccgm": ("Cologne Chip", "GateMate"),
    "10m": ("Altera", "MAX 10"),
    "5c": ("Altera", "Cyclone V"),
    "ep4c": ("Altera", "Cyclone IV"),
}
_LONGEST_NS = 50.0  # 20 MHz: no FPGA needs a slower clock, so a longer period is probably a frequency


def boards_of(executors: Iterable[ExecutorInfo]) -> dict[str, str]:
    """The boards that these executors know, with their parts."""
    return {board: part for info in executors for board, part in info.catalogue.boards.items()}


def part_of(target: TargetSection, boards: Mapping[str, str], path: Path) -> str | None:
    """The part to build for: the given one, or the board's; None if neither is known.

    Without any `boards` nothing is checked. Raises ConfigError for an unknown board, and for one that has another
    part than the given one.
    """
    board, part = target.board, target.part
    if board is None or not boards:
        return part
    own = boards.get(board)
    if own is None:
        raise ConfigError(
            f"{path}: target.board: unknown board {board!r}",
            hint=f"{choices(board, sorted(boards), 'boards')}; or set target.part",
        )
    if part is not None and part.lower() != own.lower():
        raise ConfigError(
            f"{path}: target.part and target.board contradict each other: {board} has the part {own}, not {part}",
            hint="leave one of them out: the board gives its part",
        )
    return own


def explain_no_part(boards: Mapping[str, str]) -> str:
    """What to set when a step needs a part and the build has none."""
    part = 'set target.board, or target.part, e.g. "xczu7ev-ffvc1156-2-e"'
    return f"{part}; boards: {', '.join(sorted(boards))}" if boards else part


def explain_form(part: str, kind: str, examples: Iterable[str], boards: Mapping[str, str]) -> str:
    """How a part is written, or the key of a board that stands where a part belongs.

    `kind` says which parts are taken. A part of a family of which it names none is refused by that name.
    """
    near = nearest(part, list(boards))
    if near and near[0].lower() == part.lower():
        return f'{near[0]} is a board: write target.board = "{near[0]}" in place of the part'
    written = f"device, package and speed grade, e.g. {', '.join(examples)}"
    found = next((family for begin, family in _FAMILIES.items() if part.lower().startswith(begin)), None)
    if found is None:
        return written
    maker, family = found
    if family in kind:
        return f"of {maker}'s {family}, only the devices above are supported; {written}"
    name = maker if maker == family else f"{maker}'s {family}"
    return f"{name} is not supported here; {written}"


def check_objective(target: TargetSection, entries: Iterable[EntryDescription], path: Path) -> None:
    """Raise ConfigError when a build asks for an objective that none of its entries takes."""
    taken = (parameter.default_from for entry in entries for parameter in entry.parameters)
    if target.objective is not None and OBJECTIVE not in taken:
        raise ConfigError(
            f"{path}: {OBJECTIVE} = {target.objective!r}, but no step of this build optimises a folding",
            hint="leave it out, or take a flow with FINN's folding, such as estimate or rtl",
        )


def doubts_about(target: TargetSection) -> tuple[str, ...]:
    """Warnings about a clock and a throughput that are possible, but hardly meant."""
    doubts = []
    mhz = 1000 / target.clock_ns
    if target.clock_ns > _LONGEST_NS:
        guess = f"; did you mean {mhz:.4g} ns ({target.clock_ns:g} MHz)?" if target.clock_ns <= 1000 else ""
        doubts.append(f"target.clock_ns = {target.clock_ns:g} is a clock of {mhz:.3g} MHz{guess}")
    if target.target_fps is not None and target.target_fps > mhz * 1e6:
        doubts.append(
            f"target.target_fps = {target.target_fps:,} is above the clock of {mhz:.6g} MHz: no design reaches it,"
            " since hardware takes at most one frame per clock cycle"
        )
    return tuple(doubts)
