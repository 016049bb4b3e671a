"""The entries of the rtl-sim executor."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from bskernel_protocol import pretty_json
from numpy.typing import NDArray

from bskernel_executors.exchange.design import DESIGN, Design, read_design
from bskernel_executors.exchange.fifo_config import FifoConfig
from bskernel_executors.exchange.file_tree import read_files, write_files
from bskernel_executors.exchange.simulation import Simulation, StreamCycles, read_simulation
from bskernel_executors.rtl_sim.board_entries import declare_board
from bskernel_executors.rtl_sim.compiler import compile_library, compile_simulator
from bskernel_executors.rtl_sim.diagnosis import find_helpful_depths, locate_difference, read_expected
from bskernel_executors.rtl_sim.exported_design import TESTBENCH, export_design
from bskernel_executors.rtl_sim.fifo_trials import FifoTrials
from bskernel_executors.rtl_sim.netlist_check import NetlistCheck, check_cycles
from bskernel_executors.rtl_sim.reference import check_outputs, compute_accuracy, find_wrong_frames, read_reference
from bskernel_executors.rtl_sim.simulator import Deadlock, Measurement, run_simulator
from bskernel_executors.rtl_sim.waves import MOST_CYCLES, write_waves
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

registry = Registry(executor="rtl-sim", summary="simulates a stitched design with Verilator and measures it")
declare_board(registry)
_RTL = Input("rtl", kind="tree", help="stitched design")
_SIMULATOR_INPUT = Input("simulator", kind="tree", help="simulator from compile")
_REFERENCE = Input("reference", kind="tree", help="frames, and what Python computes from them")
_EXPECTED = Input(
    "expected", kind="tree", required=False, help="what Python computes for each stream, to name a layer that differs"
)
_SMALLEST_DEPTH = 2  # the least that FINN accepts
_KIB = 8 * 1024


class CompileParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `compile`."""

    jobs: Annotated[int, parameter("number of parallel compilers")] = 2
    waveform: Annotated[bool, parameter("let simulations write waveforms, which is slower")] = False
    throttle: Annotated[bool, parameter("for size_fifos: limit the FIFOs' fill level, leave out matrix products")] = (
        False
    )


class SimulateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `simulate`."""

    stall_percent: Annotated[int, parameter("share of cycles in which the output is not ready", unit="%")] = 0
    waveform_cycles: Annotated[
        int, parameter("number of cycles, from the first, to write as a waveform of every wire", unit="cycles")
    ] = 0
    waveform_frames: Annotated[
        int,
        parameter("number of frames, from the first, to write as a waveform of the streams", unit="frames"),
    ] = 0

    def __post_init__(self) -> None:
        if not 0 <= self.stall_percent < 100:
            raise ValueError(f"stall_percent is {self.stall_percent}, but must be from 0 to 99")
        if self.waveform_cycles < 0:
            raise ValueError(f"waveform_cycles is {self.waveform_cycles}, but must not be negative")
        if self.waveform_frames < 0:
            raise ValueError(f"waveform_frames is {self.waveform_frames}, but must not be negative")


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

    frames: Annotated[
        int, parameter("most frames per simulation; it ends earlier when its pace is steady", unit="frames")
    ] = 16
    simulations: Annotated[
        int, parameter("most simulations; what they did not settle keeps a depth that suffices")
    ] = 300
    cycles: Annotated[int, parameter("most cycles of all simulations together, likewise", unit="cycles")] = 60_000_000

    def __post_init__(self) -> None:
        if self.simulations < 1:
            raise ValueError(f"simulations is {self.simulations}, but at least 1 is needed")
        if self.frames < 4:
            raise ValueError(f"frames is {self.frames}, but at least 4 are needed to measure the pace")


@registry.entry(
    "compile_library",
    summary="compile what all simulators share, once for all designs",
    outputs=(Output("simulator_library", kind="tree"),),
    failure="verification",
)
def compile_shared(step: Step[msgspec.Struct]) -> None:
    """Compile Verilator's library."""
    step.progress("compiling")
    compile_library(step.work, step.output("simulator_library"))


@registry.entry(
    "compile",
    summary="compile a stitched design to a simulator, whose bytes depend on the machine's C++ compiler",
    parameters=CompileParameters,
    inputs=(
        _RTL,
        Input("simulator_library", kind="tree", required=False, help="from compile_library; made here without it"),
    ),
    outputs=(Output("simulator", kind="tree"),),
    stage_in=("rtl", "netlist", "routed"),
    failure="verification",
)
def compile_design(step: Step[CompileParameters]) -> None:
    """Compile the design with Verilator and g++."""
    rtl = step.required_input("rtl")
    step.progress("compiling")
    size = compile_simulator(
        rtl,
        read_design(rtl),
        step.work / "rtl",
        step.output("simulator"),
        jobs=step.params.jobs,
        waveform=step.params.waveform,
        throttle=step.params.throttle,
        library=step.input("simulator_library"),
    )
    step.record({"bytes": size})


def _count_bits(design: Design, depths: Sequence[int]) -> int:
    """Bits of all FIFOs with these depths in values."""
    return sum(fifo.width * depth for fifo, depth in zip(design.fifos, depths, strict=True))


def _run(
    step: Step[SimulateParameters], design: Design, frames: NDArray[np.int64], waveform: tuple[Path, int] | None
) -> Measurement:
    """Simulate. The failure of a deadlock names the depths that would help."""
    rtl, stall = step.required_input("rtl"), step.params.stall_percent
    simulator = step.required_input("simulator")
    try:
        return run_simulator(rtl, design, simulator, frames, step.work, stall_percent=stall, waveform=waveform)
    except Deadlock as deadlock:
        step.progress("deadlocked: looking for FIFO depths that help")
        helpful = find_helpful_depths(rtl, design, frames, deadlock, step.work, stall_percent=stall)
        if helpful is None:
            raise
        needed = ", ".join(f"{name} = {depth}" for name, depth in helpful.items())
        raise StepFailure(
            category="verification",
            message=deadlock.failure.message,
            cause=deadlock.failure.cause,
            hint=f"the smallest depths that help: {needed}; set them in a fifo_config, or let size_fifos find all",
        ) from deadlock


def _record(step: Step[SimulateParameters], design: Design, frames: NDArray[np.int64]) -> tuple[str, ...]:
    """Write the waveform of these frames, also where their simulation fails; says what is in it.

    It is a simulation of its own, before the one that is judged, which then says why it fails.
    """
    step.progress("compiling a simulator that writes waveforms")
    rtl, raw = step.required_input("rtl"), step.work / "raw.vcd"
    folder, simulator = step.work / "traced", step.work / "traced-simulator"
    compile_simulator(rtl, design, folder, simulator, waveform=True, waveform_levels=1)
    step.progress("writing a waveform")
    with contextlib.suppress(StepFailure):
        run_simulator(
            folder, design, simulator, frames, step.work, stall_percent=step.params.stall_percent,
            waveform=(raw, MOST_CYCLES),
        )  # fmt: skip
    if not raw.exists():
        return ()
    cycles = write_waves(raw, rtl, design, step.output("waves"))
    whole = f"{len(frames)} frame{'s' if len(frames) > 1 else ''}, {cycles:,} cycles"
    return (f"the first {cycles:,} cycles" if cycles == MOST_CYCLES else whole,)


def _check(
    step: Step[SimulateParameters],
    design: Design,
    frames: NDArray[np.int64],
    outputs: NDArray[np.int64],
    expected: NDArray[np.int64],
) -> None:
    """Raise StepFailure (verification) if an output differs; it names the layer where the difference begins."""
    wrong, known = find_wrong_frames(outputs, expected), step.input("expected")
    located: tuple[str, ...] = ()
    if len(wrong) and known is not None:
        step.progress("the outputs differ: looking for the layer")
        located = locate_difference(
            step.required_input("rtl"),
            design,
            frames,
            int(wrong[0]),
            read_expected(known),
            step.work,
            stall_percent=step.params.stall_percent,
        )
    check_outputs(outputs, expected, located)


@registry.entry(
    "simulate",
    summary="simulate frames, compare every output bit with Python's, measure cycles",
    parameters=SimulateParameters,
    inputs=(_RTL, _SIMULATOR_INPUT, _REFERENCE, _EXPECTED),
    outputs=(
        Output("simulation", kind="file", media_type="application/json"),
        Output(
            "waveform", kind="file", required=False, media_type="text/x-vcd", help="with parameter waveform_cycles"
        ),
        Output(
            "waves", kind="tree", required=False, help="with parameter waveform_frames: streams.vcd, streams.gtkw"
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
    waves = _record(step, design, frames[: step.params.waveform_frames]) if step.params.waveform_frames else ()
    measured = _run(step, design, frames, (step.output("waveform"), cycles) if cycles else None)
    _check(step, design, frames, measured.outputs, expected)
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
            stream.name: StreamCycles(moved=int(moved), back_pressure=int(waits), starved=int(starved))
            for stream, (moved, waits, starved) in zip(design.streams, measured.streams, strict=True)
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
    rows += [{"label": "waveform", "value": text, "note": step.name} for text in waves]
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
    files = {name: data for name, data in read_files(rtl).items() if name != DESIGN}
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
    write_files(step.output("ip"), written)


def _compared(kind: str) -> tuple[Input, ...]:
    """The inputs of a comparison of a netlist with the RTL."""
    return (
        Input("netlist", kind="tree", help=f"{kind} netlist with models of its cells"),
        Input("simulator", kind="tree", help="simulator from compile of the netlist"),
        _REFERENCE,
        Input("simulation", kind="file", help="measurements of the RTL from simulate"),
    )


def _compare_netlist(step: Step[Any], *, output: str, label: str) -> None:
    """Simulate a netlist like the RTL and compare the two."""
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
    step.output(output).write_text(pretty_json(result), encoding="utf-8")
    value = f"equals the RTL in {len(frames)} of {len(frames)} frames and all {measured.total_cycles:,} cycles"
    step.record({"summary": [{"label": label, "value": value, "note": step.name}]})


@registry.entry(
    "check_netlist",
    summary="simulate a synthesised netlist: outputs must equal Python's, cycles those of the RTL simulation",
    inputs=_compared("synthesised"),
    outputs=(Output("netlist_check", kind="file", media_type="application/json"),),
    stage_in=("netlist", "routed"),
    failure="verification",
)
def check_netlist(step: Step[Any]) -> None:
    """Compare a synthesised netlist with the RTL."""
    _compare_netlist(step, output="netlist_check", label="netlist")


@registry.entry(
    "check_routed",
    summary="simulate a routed netlist: outputs must equal Python's, cycles those of the RTL simulation",
    inputs=_compared("routed"),
    outputs=(Output("routed_check", kind="file", media_type="application/json"),),
    stage_in=("routed",),
    failure="verification",
)
def check_routed(step: Step[Any]) -> None:
    """Compare a routed netlist with the RTL."""
    _compare_netlist(step, output="routed_check", label="routed netlist")


@registry.entry(
    "size_fifos",
    summary="find the smallest FIFOs with which a design keeps its pace, without deadlock",
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
    inputs, _ = read_reference(reference, design)
    # The reference may have fewer frames than are asked for: they are repeated.
    order = np.arange(step.params.frames) % len(inputs)
    trials = FifoTrials(
        rtl,
        simulator,
        design,
        inputs[order],
        step.work,
        simulations=step.params.simulations,
        cycles=step.params.cycles,
        progress=step.progress,
    )
    limits, pace = trials.find()
    # A FIFO holds smallest_fifo values whatever depth is asked for, so the smallest depth will do.
    depths = [_SMALLEST_DEPTH if limit <= design.smallest_fifo else limit for limit in limits]
    names = [fifo.name for fifo in design.fifos]
    result = FifoConfig(
        fifo_depths=dict(zip(names, depths, strict=True)),
        fifo_sizes={fifo.name: fifo.width * depth for fifo, depth in zip(design.fifos, depths, strict=True)},
        impl_style=dict.fromkeys(names, "rtl"),
        ram_style=dict.fromkeys(names, "auto"),
        total_fifo_size=_count_bits(design, depths) / _KIB,
        cycles_per_frame=pace,
        estimated_cycles=design.estimated_cycles,
        cycles_per_frame_unlimited=trials.best,
        high_water_marks=dict(zip(names, trials.marks, strict=True)),
        high_water_size=_count_bits(design, trials.marks) / _KIB,
        simulations=trials.runs,
    )
    step.output("fifo_config").write_text(pretty_json(result), encoding="utf-8")
    row = {
        "label": "FIFOs sized",
        "value": f"{result.total_fifo_size:.3g} KiB in {len(names)} FIFOs, depths {min(depths)} to {max(depths)}",
        "note": f"{result.high_water_size:.3g} KiB without a search, {trials.runs} simulations",
    }
    rows = [row]
    if trials.ended:
        text = f"after {trials.runs} simulations of {trials.simulated:,} cycles; some FIFOs may be deeper than needed"
        rows.append({"label": "sizing ended", "value": text, "note": "parameters simulations, cycles"})
    step.record({"summary": rows, "simulations": trials.runs, "cycles": trials.simulated})
