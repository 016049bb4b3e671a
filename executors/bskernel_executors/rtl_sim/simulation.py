"""One run of a compiled simulator: frames in, outputs and what was measured out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.rtl_sim.design import Design
from bskernel_executors.rtl_sim.packing import pack, unpack
from bskernel_executors.sdk import StepFailure

SIMULATOR = "simulator"
_DEADLOCK, _NO_WAVES = 4, 5
_RESET = 32  # steps of time before the first cycle; a cycle takes two
_STOPPED = ("Assertion failed", "%Error", "%Fatal")
_TIME = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one run gave; cycles count from the end of the reset."""

    outputs: NDArray[np.int64]  # (frames, values)
    spans: NDArray[np.int64]  # (frames, 2): first beat taken, last beat given
    maxima: NDArray[np.int64]  # (FIFOs,)
    streams: NDArray[np.int64]  # (streams, 3): cycles of moving, of waiting for the taker, of waiting for the giver

    @property
    def latency_cycles(self) -> int:
        """Of the first frame: from its first beat taken to its last beat given."""
        return int(self.spans[0, 1] - self.spans[0, 0]) + 1

    @property
    def total_cycles(self) -> int:
        """Of all frames, from the end of the reset."""
        return int(self.spans[-1, 1]) + 1

    @property
    def cycles_per_frame(self) -> float | None:
        """Between the ends of frames in the second half; None with fewer than 4 frames."""
        count, half = len(self.spans), len(self.spans) // 2
        if count < 4:
            return None
        return float(self.spans[-1, 1] - self.spans[half, 1]) / (count - 1 - half)


def stuck_layer(design: Design, streams: str) -> str | None:
    """The first layer that neither takes what waits for it nor gives anything; `streams` is the driver's line."""
    bits = streams.split()
    for layer, entering, leaving in zip(design.layers, bits, bits[1:], strict=False):
        if entering == "10" and leaving[0] == "0":
            return layer
    return None


def failure_of_run(design: Design, returncode: int, said: Sequence[str]) -> StepFailure | None:
    """What a run's words and exit code mean, or None when it went well."""
    failed = [line for line in said if any(sign in line for sign in _STOPPED)]
    if failed:
        found = [name for name in design.layers if f"{name}_i" in failed[0] or f"{name}_memory" in failed[0]]
        culprit = max(found, key=len, default="a layer")
        time = _TIME.search(failed[0])
        when = f" in cycle {max(0, int(time.group(1)) - _RESET) // 2}" if time else ""
        return StepFailure(
            category="verification",
            message=f"the simulation stopped in {culprit}{when}: {failed[0]}",
            cause=tuple(failed[:8]),
            hint="what is computed after this cannot be trusted; compile with waveform = true to look at it",
        )
    if returncode == _DEADLOCK:
        what = next((line for line in said if line.startswith("deadlock")), "no word of it")
        seen = next((line.partition(":")[2] for line in said if line.startswith("streams")), "")
        layer = stuck_layer(design, seen)
        where = f" in {layer}, which takes nothing and gives nothing" if layer else ""
        return StepFailure(
            category="verification",
            message=f"the simulation stands still{where}: {what}",
            cause=tuple(said[-4:]),
            hint="deeper FIFOs may help: insert_streams fifo_depth, or a fifo_config",
        )
    if returncode == _NO_WAVES:
        return StepFailure(
            category="config",
            message="the simulator was compiled without waveforms",
            hint="set waveform = true for the step that compiles it",
        )
    if returncode:
        return StepFailure(category="crash", message=f"the simulator ended with {returncode}", cause=tuple(said[-8:]))
    return None


def run(
    rtl: Path,
    design: Design,
    simulator: Path,
    frames: NDArray[np.int64],
    work: Path,
    *,
    stall_percent: int = 0,
    limits: Sequence[int] = (),
    waves: tuple[Path, int] | None = None,
) -> Measured:
    """Simulate frames of shape (N, values). Raises StepFailure."""
    sent, got, measured, bounds = (work / name for name in ("in.bin", "out.bin", "measured.bin", "limits.bin"))
    sent.write_bytes(pack(frames, design.input).tobytes())
    if limits:
        bounds.write_bytes(np.array(limits, dtype="<u4").tobytes())
    patience = 20 * design.estimated_cycles + 100_000
    numbers = (design.input.beats, design.output.beats, len(frames), stall_percent, patience)
    picture, cycles = waves or ("-", 0)
    command = [simulator / SIMULATOR, sent, got, measured, *numbers, bounds if limits else "-", picture, cycles]
    # Memories are read relative to the design's folder.
    done = subprocess.run(list(map(str, command)), cwd=rtl, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    failure = failure_of_run(design, done.returncode, said)
    if failure is not None or not limits:
        print("\n".join(said))
    if failure is not None:
        raise failure
    beats = np.frombuffer(got.read_bytes(), dtype=np.uint8).reshape(-1, design.output.width // 8)
    values = np.frombuffer(measured.read_bytes(), dtype=np.uint64).astype(np.int64)
    spans, rest = np.split(values, [2 * len(frames)])
    maxima, streams = np.split(rest, [len(design.fifos)])
    return Measured(
        outputs=unpack(beats, design.output),
        spans=spans.reshape(-1, 2),
        maxima=maxima,
        streams=streams.reshape(-1, 3),
    )
