"""Run a compiled simulator: frames in, outputs and measurements out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import Design
from bskernel_executors.rtl_sim.beats import pack, unpack
from bskernel_executors.rtl_sim.branches import find_blockage, list_depths
from bskernel_executors.sdk import StepFailure

SIMULATOR = "simulator"
_DEADLOCK, _NO_WAVES, _LATE = 4, 5, 6
_RESET = 32  # time steps before the first cycle; a cycle takes two
_STOPPED = ("Assertion failed", "%Error", "%Fatal")
_TIME = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The result of one run. Cycles count from the end of the reset."""

    outputs: NDArray[np.int64]  # (frames that were run, values)
    spans: NDArray[
        np.int64
    ]  # (frames that were run, 2): cycle of the first input beat, cycle of the last output beat
    maxima: NDArray[np.int64]  # (FIFOs,): the most values that each held; with limits the room that it needed
    streams: NDArray[np.int64]  # (streams, 3): cycles moved, with back-pressure, starved

    @property
    def latency_cycles(self) -> int:
        """Cycles from the first frame's first input beat to its last output beat."""
        return int(self.spans[0, 1] - self.spans[0, 0]) + 1

    @property
    def total_cycles(self) -> int:
        """Cycles of all frames, from the end of the reset."""
        return int(self.spans[-1, 1]) + 1

    @property
    def last_interval(self) -> float:
        """Cycles between the ends of the last two frames."""
        return float(self.spans[-1, 1] - self.spans[-2, 1])

    @property
    def cycles_per_frame(self) -> float | None:
        """Mean cycles between the ends of frames in the second half; None with fewer than 4 frames."""
        count, half = len(self.spans), len(self.spans) // 2
        if count < 4:
            return None
        return float(self.spans[-1, 1] - self.spans[half, 1]) / (count - 1 - half)


class Deadlock(StepFailure):
    """Nothing in the design moves any more."""

    def __init__(self, *, message: str, cause: tuple[str, ...], states: tuple[str, ...], hint: str) -> None:
        """Remember `states`: valid and ready of each stream, as two digits; none of a netlist."""
        super().__init__(category="verification", message=message, cause=cause, hint=hint)
        self.states = states


class LateRun(StepFailure):
    """The run was ended because it took more cycles than it was given."""


def find_stuck_layer(design: Design, states: Sequence[str]) -> str | None:
    """Find the first layer that has a value at each input, takes none and outputs nothing."""
    state = dict(zip((stream.name for stream in design.streams), states, strict=True))
    for layer in design.layers:
        taken = [state[stream.name] for stream in design.streams if stream.sink == layer]
        given = [state[stream.name] for stream in design.streams if stream.source == layer]
        if all(one == "10" for one in taken) and all(one[0] == "0" for one in given):
            return layer
    return None


def _diagnose_deadlock(design: Design, lines: Sequence[str]) -> Deadlock:
    """Name the layer or the branches that stand still, from the driver's lines."""
    what = next((line for line in lines if line.startswith("deadlock")), "no details")
    seen = next((line.partition(":")[2] for line in lines if line.startswith("streams")), "")
    states = tuple(seen.split())
    hint = "try deeper FIFOs: fifo_depth of insert_streams, or a fifo_config"
    blockage = find_blockage(design, states) if states else None
    if blockage is not None:
        depths = {fifo.name: fifo.depth for fifo in design.fifos}
        full = list_depths(depths, blockage.full) or "which has no FIFO"
        return Deadlock(
            message=f"the simulation deadlocked between {blockage.fork} and {blockage.join}: {what}",
            cause=(
                f"the branch that is full: {full}",
                f"the branch that {blockage.join} waits for: {', '.join(blockage.late)}",
            ),
            states=states,
            hint=hint,
        )
    stuck = find_stuck_layer(design, states) if states else None
    where = f" in {stuck}, which takes no input and gives no output" if stuck else ""
    return Deadlock(
        message=f"the simulation deadlocked{where}: {what}", cause=tuple(lines[-4:]), states=states, hint=hint
    )


def diagnose(design: Design, returncode: int, lines: Sequence[str]) -> StepFailure | None:
    """Make the failure of a run from its exit code and its lines; None when it succeeded."""
    failed = [line for line in lines if any(sign in line for sign in _STOPPED)]
    if failed:
        found = [name for name in design.layers if f"{name}_i" in failed[0] or f"{name}_memory" in failed[0]]
        layer = max(found, key=len, default="a layer")
        time = _TIME.search(failed[0])
        when = f" in cycle {max(0, int(time.group(1)) - _RESET) // 2}" if time else ""
        return StepFailure(
            category="verification",
            message=f"the simulation stopped in {layer}{when}: {failed[0]}",
            cause=tuple(failed[:8]),
            hint="nothing computed after this can be trusted; compile with waveform = true to inspect it",
        )
    if returncode == _DEADLOCK:
        return _diagnose_deadlock(design, lines)
    if returncode == _LATE:
        return LateRun(category="verification", message=lines[-1] if lines else "the run took too many cycles")
    if returncode == _NO_WAVES:
        return StepFailure(
            category="config",
            message="the simulator was compiled without waveforms",
            hint="set waveform = true in the step that compiles it",
        )
    if returncode:
        return StepFailure(
            category="crash", message=f"the simulator failed with exit code {returncode}", cause=tuple(lines[-8:])
        )
    return None


def count_outer_patience(design: Design) -> int:
    """Cycles without a beat that are a deadlock where only the design's input and output are seen."""
    return 20 * design.estimated_cycles + 100_000


def run_simulator(
    rtl: Path,
    design: Design,
    simulator: Path,
    frames: NDArray[np.int64],
    work: Path,
    *,
    stall_percent: int = 0,
    limits: Sequence[int] = (),
    waveform: tuple[Path, int] | None = None,
    most_cycles: int = 0,
    pace: int = 0,
    steady: int = 0,
) -> Measurement:
    """Simulate frames of shape (N, values) in the folder `rtl`.

    `limits` are the most values that each FIFO may hold; `waveform` is a file and the number of cycles to record.
    A run ends after `most_cycles`, unless it is 0. Input beats come as fast as they are taken, or spread over `pace`
    cycles per frame. A run ends early after `steady` equal intervals between the ends of frames, unless it is 0;
    with a pace, after as many that are within it, or beyond it.
    Raises Deadlock, LateRun, or StepFailure: verification for a failed assertion, config, crash.
    """
    sent, got, measured, bounds = (work / name for name in ("in.bin", "out.bin", "measured.bin", "limits.bin"))
    sent.write_bytes(pack(frames, design.input).tobytes())
    if limits:
        bounds.write_bytes(np.array(limits, dtype="<u4").tobytes())
    # No layer is silent for longer than a frame takes.
    patience = 2 * design.estimated_cycles + 10_000 if design.streams else count_outer_patience(design)
    numbers = (design.input.beats, design.output.beats, len(frames), stall_percent, patience)
    trace, cycles = waveform or ("-", 0)
    command = [
        simulator / SIMULATOR,
        sent,
        got,
        measured,
        *numbers,
        bounds if limits else "-",
        trace,
        cycles,
        most_cycles,
        pace,
        steady,
    ]
    # The design reads its memories by paths relative to its folder.
    done = subprocess.run(list(map(str, command)), cwd=rtl, capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    failure = diagnose(design, done.returncode, lines)
    if failure is not None or not limits:
        print("\n".join(lines))
    if failure is not None:
        raise failure
    beats = np.frombuffer(got.read_bytes(), dtype=np.uint8).reshape(-1, design.output.width // 8)
    values = np.frombuffer(measured.read_bytes(), dtype=np.uint64).astype(np.int64)
    count = len(beats) // design.output.beats
    spans, rest = np.split(values, [2 * count])
    maxima, streams = np.split(rest, [len(design.fifos)])
    return Measurement(
        outputs=unpack(beats, design.output).reshape(count, -1),
        spans=spans.reshape(-1, 2),
        maxima=maxima,
        streams=streams.reshape(-1, 3),
    )
