"""Simulations that tell whether FIFOs of some depths keep a design's pace, two of them side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import Design
from bskernel_executors.rtl_sim.fifo_depths import Depths, find_depths
from bskernel_executors.rtl_sim.reference import check_outputs
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
        expected: NDArray[np.int64],
        work: Path,
        *,
        simulations: int,
        cycles: int,
        progress: Callable[[str], None],
    ) -> None:
        """Take frames and Python's outputs, both (N, values), and how many simulations and cycles are allowed."""
        self._rtl, self._simulator, self._design, self._work = rtl, simulator, design, work
        self._frames, self._expected, self._progress = frames, expected, progress
        self._simulations, self._cycles = simulations, cycles
        self.runs, self.simulated = 0, 0
        any_depth = (ANY_DEPTH,) * len(design.fifos)
        first = self._run(any_depth, steady=_STEADY)
        self.latency = first.latency_cycles
        self.best = self._pace(first)
        self.goal = max(self.best, float(design.estimated_cycles))
        paced = self._run(any_depth, steady=_STEADY, paced=True)
        self.marks: Depths = tuple(map(int, paced.maxima))

    @property
    def ended(self) -> bool:
        """Whether as many simulations, or cycles of them, were made as are allowed."""
        return self.runs >= self._simulations or self.simulated >= self._cycles

    def find(self) -> tuple[Depths, float]:
        """Find depths that suffice, and measure their cycles per frame with all frames and an input that never waits.

        A run that ends as soon as it is steady may miss what comes later. If the depths that were found so do not
        keep the pace in all frames, they are looked for with all frames.
        """
        widths = [fifo.width for fifo in self._design.fifos]
        depths: Depths = ()
        for steady in (_STEADY, 0):
            self._steady = steady
            depths = find_depths(
                self.marks, widths, self._design.smallest_fifo, self._attempt, negligible=_NEGLIGIBLE
            )
            try:
                pace = self._pace(self._run(depths))
            except Deadlock:
                continue
            if pace <= self.goal:
                return depths, pace
        return depths, self._pace(self._run(depths))

    def _pace(self, measured: Measurement) -> float:
        """Cycles per frame: the last interval of a run that was ended because it was steady."""
        if len(measured.spans) < len(self._frames):
            return measured.last_interval
        return measured.cycles_per_frame or math.inf

    def _run(self, depths: Depths, *, steady: int = 0, paced: bool = False, most_cycles: int = 0) -> Measurement:
        self.runs += 1
        folder = self._work / f"simulation-{self.runs}"
        folder.mkdir()
        measured = run_simulator(
            self._rtl,
            self._design,
            self._simulator,
            self._frames,
            folder,
            limits=depths,
            most_cycles=most_cycles,
            steady=steady,
            pace=math.ceil(self.goal) if paced else 0,
        )
        check_outputs(measured.outputs, self._expected[: len(measured.outputs)])
        self.simulated += measured.total_cycles
        return measured

    def _attempt(self, several: Sequence[Depths]) -> Sequence[Depths | None]:
        if self.ended:
            return []
        bits = sum(fifo.width * depth for fifo, depth in zip(self._design.fifos, several[0], strict=True))
        self._progress(f"simulation {self.runs + 1}: {bits / 8192:.3g} KiB of FIFOs")
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(self._try, several))

    def _try(self, depths: Depths) -> Depths | None:
        """Return what each FIFO needed room for at most, or None if the pace is not kept."""
        most = _FILL * self.latency + math.ceil(len(self._frames) * self.goal)
        try:
            measured = self._run(depths, steady=self._steady, paced=True, most_cycles=most)
        except (Deadlock, LateRun):
            self.simulated += self.latency + 3 * math.ceil(self.goal)  # about where it ended
            return None
        return tuple(map(int, measured.maxima)) if self._pace(measured) <= self.goal else None
