"""Find out why a simulation failed: which layer differs from Python, or which FIFOs are too small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import Design
from bskernel_executors.rtl_sim.branches import find_blockage
from bskernel_executors.rtl_sim.compiler import compile_simulator
from bskernel_executors.rtl_sim.fifo_depths import Depths, find_depths
from bskernel_executors.rtl_sim.simulator import Deadlock, run_simulator
from bskernel_executors.rtl_sim.taps import BeatDifference, find_difference, read_taps
from bskernel_executors.sdk import StepFailure

_AFTER = 3  # frames that follow the wrong one into the design and may push it
_SHOWN = 16  # values of a beat in a message
_ANY = 2**31 - 1  # values in a FIFO


def read_expected(folder: Path) -> dict[str, NDArray[np.int64]]:
    """Read what Python computes for each tensor, shape (frames, values)."""
    with np.load(folder / "tensors.npz", allow_pickle=False) as file:
        return {name: file[name].reshape(len(file[name]), -1) for name in file.files}


def locate_difference(
    rtl: Path,
    design: Design,
    frames: NDArray[np.int64],
    wrong: int,
    expected: dict[str, NDArray[np.int64]],
    work: Path,
    *,
    stall_percent: int,
) -> tuple[str, ...]:
    """Simulate again with a tap on every stream; return lines that name the first layer that differs from Python.

    `frames` of shape (N, values) are those of the run whose frame `wrong` was the first wrong one. If Python's values
    reach that frame, the same frames run again; else the frames that they have, repeated, so that an error of timing
    shows as well.
    """
    known = len(next(iter(expected.values())))
    order = np.arange(min(len(frames), wrong + 1 + _AFTER))
    if wrong >= known:
        order = order % known
    compared = order[order < known]
    folder = work / "tapped"
    compile_simulator(rtl, design, folder, work / "tapped-simulator", taps=True)
    ended = ""
    try:
        run_simulator(folder, design, work / "tapped-simulator", frames[order], work, stall_percent=stall_percent)
    except StepFailure as failure:
        ended = failure.failure.message
    found = find_difference(design, read_taps(folder / "taps", design), expected, compared)
    if found is None:
        more = f"no stream differs in Python's {known} frames: set frames = {wrong + 1} in step expect"
        return (ended or more,)
    return _describe(found, design, repeated=wrong >= known)


def _describe(found: BeatDifference, design: Design, *, repeated: bool) -> tuple[str, ...]:
    stream = found.stream
    layer = f"the first layer that differs is {stream.source}" if stream.source else "the design's input differs"
    inputs = ", ".join(one.name for one in design.streams if one.sink == stream.source and stream.source)
    where = f"frame {found.frame}, beat {found.beat} of {stream.format.beats}, in stream {stream.name}"
    again = " (in a run of the frames that Python computed, repeated)" if repeated else ""
    return (
        f"{layer}: {where}{again}" + (f"; what it takes is equal ({inputs})" if inputs else ""),
        f"{stream.source or 'input'} gives {_shorten(found.design)}",
        f"Python computes {_shorten(found.python)}",
    )


def _shorten(values: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, values[:_SHOWN]))
    return f"[{shown}, ... {len(values)} values]" if len(values) > _SHOWN else f"[{shown}]"


def find_helpful_depths(
    rtl: Path, design: Design, frames: NDArray[np.int64], deadlock: Deadlock, work: Path, *, stall_percent: int
) -> dict[str, int] | None:
    """Find the smallest depths of FIFOs on the full branches with which the frames of shape (N, values) pass.

    Returns depths in values by FIFO, or None if none help.
    """
    blockage = find_blockage(design, deadlock.states)
    if blockage is None or not blockage.full:
        return None  # no depth helps, so no simulator is compiled for the search
    floor = design.smallest_fifo
    names = [fifo.name for fifo in design.fifos]
    given = [max(floor, fifo.depth) for fifo in design.fifos]
    folder, simulator = work / "throttled", work / "throttled-simulator"
    compile_simulator(rtl, design, folder, simulator, throttle=True)

    def run(limits: list[int]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
        """Return the most values that each FIFO held, or None and the streams' states in a deadlock."""
        try:
            measured = run_simulator(
                folder, design, simulator, frames, work, limits=limits, stall_percent=stall_percent
            )
        except Deadlock as stuck:
            return None, stuck.states
        return measured.maxima, ()

    chosen: set[str] = set()
    held, states = None, deadlock.states
    while held is None:
        blockage = find_blockage(design, states)
        more = set(blockage.full if blockage else ()) - chosen
        if not more:
            return None
        chosen |= more
        held, states = run([_ANY if name in chosen else depth for name, depth in zip(names, given, strict=True)])
    at = [index for index, name in enumerate(names) if name in chosen]

    def attempt(several: Sequence[Depths]) -> list[Depths | None]:
        found: list[Depths | None] = []
        for depths in several:
            limits = list(given)
            for index, depth in zip(at, depths, strict=True):
                limits[index] = depth
            needed = run(limits)[0]
            found.append(None if needed is None else tuple(int(needed[index]) for index in at))
        return found

    marks = [int(held[index]) for index in at]
    widths = [design.fifos[index].width for index in at]
    found = find_depths(marks, widths, floor, attempt)
    return dict(zip((names[index] for index in at), found, strict=True))
