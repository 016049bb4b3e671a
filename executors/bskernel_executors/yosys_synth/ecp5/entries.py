"""The entries of the yosys-synth executor for ECP5."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bskernel_executors.exchange.design import read_design
from bskernel_executors.lattice.devices import Ecp5Part, find_part, is_ecp5
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter
from bskernel_executors.yosys_synth.ecp5.cells import DIFFERENCES, count_cells
from bskernel_executors.yosys_synth.ecp5.library_edits import edit_library
from bskernel_executors.yosys_synth.ecp5.tool import YOSYS
from bskernel_executors.yosys_synth.layers import (
    read_cells,
    read_netlists,
    read_sources,
    run_yosys,
    write_layer,
    write_synthesis,
)
from bskernel_executors.yosys_synth.partition import LAYER, join_netlists

_CELLS, _NETLIST, _JOINED = "cells.json", "netlist.v", "joined.json"


class Ecp5LayerParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `synthesize_ecp5_layer`. The defaults gave the highest clocks for examples/digits."""

    part: Annotated[str, parameter("ECP5 part", default_from="target.part")]
    multipliers: Annotated[
        Literal["lut", "dsp"],
        parameter("products in LUTs, which are faster up to about 4 by 4 bits, or in MULT18X18D, which saves LUTs"),
    ] = "lut"
    thresholds: Annotated[
        Literal["logic", "block"],
        parameter("thresholds in LUTs, or from 18 words in block RAM, which is slower and saves LUTs"),
    ] = "logic"
    fifos: Annotated[
        Literal["lut-ram", "shift"],
        parameter("FIFOs of 6 to 33 values in distributed RAM, or as flip-flops that shift"),
    ] = "lut-ram"


class Ecp5JoinParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `join_ecp5`."""

    part: Annotated[str, parameter("ECP5 part that the layers were synthesised for", default_from="target.part")]


def _check_part(part: str) -> Ecp5Part:
    """Find the part. Raises StepFailure (config) for any other than ECP5."""
    if not is_ecp5(part):
        raise StepFailure(
            category="config",
            message=f"{part} is no ECP5: this step synthesises for Lattice's ECP5 alone",
            hint='flows open and netlist are for AMD\'s parts; for ECP5 set target.part, e.g. "LFE5U-85F-6BG381C"',
        )
    try:
        return find_part(part)
    except ValueError as error:
        raise StepFailure(category="config", message=str(error)) from error


def _write_scripts(sources: Sequence[str], multipliers: str) -> dict[str, str]:
    """Write the script that synthesises a layer and writes its netlist and the counts of its cells."""
    # With VERILATOR defined, FINN's units take the behavioural code that is simulated, and no Xilinx primitive.
    flags = "-j 1 --ignore-timing --ignore-assertions --allow-use-before-declare -D VERILATOR"
    dsp = "" if multipliers == "dsp" else " -nodsp"
    return {
        "layer.ys": f"read_slang {flags} --top {LAYER} --keep-hierarchy {' '.join(sources)}\n"
        f"synth_lattice -family ecp5 -top {LAYER}{dsp}\n"
        f"tee -q -o {_CELLS} stat -json\nwrite_verilog -noattr -noexpr -renameprefix n {_NETLIST}\n"
    }


def synthesize_layer(step: Step[Ecp5LayerParameters]) -> None:
    """Synthesise the layer."""
    _check_part(step.params.part)
    layer, chosen = step.required_input("layer"), msgspec.to_builtins(step.params)
    sources = read_sources(layer)
    # Yosys names a module's source in its messages: without the folders, they are the same everywhere.
    for source in sources:
        name = Path(source).name
        text = edit_library(name, (layer / source).read_text(encoding="utf-8"), chosen)
        (step.work / name).write_text(text, encoding="utf-8")
    if (layer / "mem").is_dir():
        shutil.copytree(layer / "mem", step.work / "mem")
    for name, text in _write_scripts([Path(source).name for source in sources], step.params.multipliers).items():
        (step.work / name).write_text(text, encoding="utf-8")
    step.progress("synthesising")
    run_yosys(step.work, YOSYS, "layer.ys", failed="Yosys failed to synthesise the layer")
    write_layer(step, step.work / _CELLS, step.work / _NETLIST)


def join(step: Step[Ecp5JoinParameters]) -> None:
    """Join the layers to one flat netlist."""
    part = _check_part(step.params.part)
    rtl, cells, netlists = (step.required_input(name) for name in ("rtl", "cells", "layer_netlist"))
    design = read_design(rtl)
    counts = read_cells(cells, design, "synthesize_ecp5_layer")
    top = (rtl / "top.sv").read_text(encoding="utf-8")
    texts = read_netlists(netlists, design)
    (step.work / _NETLIST).write_text(join_netlists(design, top, texts), encoding="utf-8")
    (step.work / "join.ys").write_text(
        "read_verilog -lib +/lattice/cells_sim_ecp5.v +/lattice/cells_bb_ecp5.v\n"
        f"read_verilog -sv -noblackbox {_NETLIST}\nhierarchy -check -top {design.top}\n"
        f"flatten -noscopeinfo\nopt_clean\nselect {design.top}\nwrite_json -selected {_JOINED}\n",
        encoding="utf-8",
    )
    step.progress("joining")
    run_yosys(step.work, YOSYS, "join.ys", failed="Yosys failed to join the layers' netlists")
    shutil.copyfile(step.work / _JOINED, step.output("ecp5_netlist"))
    write_synthesis(step, f"ecp5 ({part.device_name})", counts, count_cells, DIFFERENCES)


def declare(registry: Registry) -> None:
    """Declare the entries."""
    registry.entry(
        "synthesize_ecp5_layer",
        summary="synthesise one layer of a stitched design for an ECP5, with its weight memory",
        parameters=Ecp5LayerParameters,
        inputs=(Input("layer", kind="tree", help="one folder of the layers from partition"),),
        outputs=(
            Output("cells", kind="file", media_type="application/json", help="cell -> count"),
            Output("layer_netlist", kind="file", media_type="text/x-verilog"),
        ),
        failure="synthesis",
    )(synthesize_layer)
    registry.entry(
        "join_ecp5",
        summary="join the layers for an ECP5 to one netlist, and count LUT, FF, DSP, BRAM and CARRY of each",
        parameters=Ecp5JoinParameters,
        inputs=(
            Input("rtl", kind="tree", help="stitched design"),
            Input("cells", kind="tree", help="a folder for each layer, from synthesize_ecp5_layer"),
            Input("layer_netlist", kind="tree", help="a folder for each layer, from synthesize_ecp5_layer"),
        ),
        outputs=(
            Output("synthesis", kind="file", media_type="application/json"),
            Output("ecp5_netlist", kind="file", media_type="application/json", help="netlist for nextpnr"),
        ),
        stage_in=("rtl",),
        stage_out="netlist",
        failure="synthesis",
    )(join)
