"""Simulations that tell whether FIFOs of some depths keep a design's pace, two of them side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import Design
from bskernel_executors.rtl_sim.fifo_depths import Depths, find_depths
from bskernel_executors.rtl_sim.simulator import Deadlock, LateRun, Measurement, run_simulator

ANY_DEPTH = 2**31 - 1
_STEADY = 3  # equal intervals between the ends of frames, after which a design goes on as it does
_NEGLIGIBLE = 1 / 64  # share of all FIFOs' bits
_FILL = 4  # latencies after which a design that keeps its pace has its FIFOs filled


class FifoTrials:
    """Simulates a design with FIFOs of any depths, and measures its pace.

    The first simulation has FIFOs that take any number of values, so no branch can deadlock. It measures the best
    pace. The second gets its input at the pace to keep, so a FIFO holds no more than what bursts of layers need.
    """

    def __init__(
        self,
        rtl: Path,
        simulator: Path,
        design: Design,
        frames: NDArray[np.int64],
        work: Path,
        *,
        simulations: int,
        cycles: int,
        progress: Callable[[str], None],
    ) -> None:
        """Take frames (N, values), and how many simulations and cycles are allowed.

        The simulator is one with throttle, whose outputs are no results: step `simulate` compares those.
        """
        self._rtl, self._simulator, self._design, self._work = rtl, simulator, design, work
        self._frames, self._progress = frames, progress
        self._simulations, self._cycles = simulations, cycles
        self.runs, self.simulated = 0, 0
        self._measure(_STEADY)

    def _measure(self, steady: int) -> None:
        """Measure the best pace, and what each FIFO needs at the pace to keep."""
        self._steady = steady
        any_depth = (ANY_DEPTH,) * len(self._design.fifos)
        first = self._run(any_depth, steady=steady)
        self.latency = first.latency_cycles
        self.best = self._pace(first)
        self.goal = max(self.best, float(self._design.estimated_cycles))
        paced = self._run(any_depth, steady=steady, paced=True)
        self.marks: Depths = tuple(map(int, paced.maxima))

    @property
    def ended(self) -> bool:
        """Whether as many simulations, or cycles of them, were made as are allowed."""
        return self.runs >= self._simulations or self.simulated >= self._cycles

    def find(self) -> tuple[Depths, float]:
        """Find depths that suffice, and measure their cycles per frame with all frames and an input that never waits.

        A run that ends as soon as it is steady may miss what comes later. If the depths that were found so do not
        keep the pace in all frames, pace and depths are looked for with all frames.
        """
        found = self._find()
        if found is None:
            self._measure(0)
            found = self._find()
        if found is not None:
            return found
        depths = tuple(max(self._design.smallest_fifo, mark) for mark in self.marks)
        return depths, self._pace(self._run(depths))

    def _find(self) -> tuple[Depths, float] | None:
        """Find depths, and their cycles per frame in all frames; None if these are too many, or never end."""
        widths = [fifo.width for fifo in self._design.fifos]
        floor = self._design.smallest_fifo
        depths = find_depths(self.marks, widths, floor, self._attempt, negligible=_NEGLIGIBLE)
        try:
            pace = self._pace(self._run(depths))
        except Deadlock:
            return None
        return (depths, pace) if pace <= self.goal else None

    def _pace(self, measured: Measurement) -> float:
        """Cycles per frame: the last interval of a run that was ended because it was steady."""
        if len(measured.spans) < len(self._frames):
            return measured.last_interval
        return measured.cycles_per_frame or math.inf

    def _run(self, depths: Depths, *, steady: int = 0, paced: bool = False) -> Measurement:
        """Simulate, and count it."""
        self.runs += 1
        measured = self._simulate(depths, steady=steady, paced=paced, most_cycles=0)
        self.simulated += measured.total_cycles
        return measured

    def _simulate(self, depths: Depths, *, steady: int, paced: bool, most_cycles: int) -> Measurement:
        with TemporaryDirectory(dir=self._work) as folder:
            return run_simulator(
                self._rtl,
                self._design,
                self._simulator,
                self._frames,
                Path(folder),
                limits=depths,
                most_cycles=most_cycles,
                steady=steady,
                pace=math.ceil(self.goal) if paced else 0,
            )

    def _attempt(self, several: Sequence[Depths]) -> Sequence[Depths | None]:
        if self.ended:
            return []
        bits = sum(fifo.width * depth for fifo, depth in zip(self._design.fifos, several[0], strict=True))
        self._progress(f"simulation {self.runs + 1}: {bits / 8192:.3g} KiB of FIFOs")
        with ThreadPoolExecutor(2) as pool:
            tried = list(pool.map(self._try, several))
        self.runs += len(tried)
        self.simulated += sum(cycles for _, cycles in tried)
        return [needed for needed, _ in tried]

    def _try(self, depths: Depths) -> tuple[Depths | None, int]:
        """Return the room that each FIFO needed, or None if the pace is not kept; and the cycles that it took."""
        most = _FILL * self.latency + math.ceil(len(self._frames) * self.goal)
        try:
            measured = self._simulate(depths, steady=self._steady, paced=True, most_cycles=most)
        except Deadlock:
            return None, self.latency + 3 * math.ceil(self.goal)  # about: the simulator's patience
        except LateRun:
            return None, most
        kept = self._pace(measured) <= self.goal
        return tuple(map(int, measured.maxima)) if kept else None, measured.total_cycles
