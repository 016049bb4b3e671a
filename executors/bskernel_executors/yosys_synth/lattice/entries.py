"""The entries of the yosys-synth executor for Lattice's devices."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bskernel_executors.exchange.design import read_design
from bskernel_executors.lattice.cells import count_resources
from bskernel_executors.lattice.devices import LatticeName, find_part
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter
from bskernel_executors.yosys_synth.lattice.families import SYNTHESES, FamilySynthesis, Multipliers
from bskernel_executors.yosys_synth.lattice.library_edits import edit_library
from bskernel_executors.yosys_synth.lattice.tool import YOSYS
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


class LatticeLayerParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `synthesize_lattice_layer`. The defaults gave the highest clocks for examples/digits."""

    part: Annotated[LatticeName, parameter("part of Lattice's", default_from="target.part")]
    multipliers: Annotated[
        Multipliers,
        parameter("products in LUTs, which are faster up to about 4 by 4 bits, or in multipliers, which saves LUTs"),
    ] = "lut"
    thresholds: Annotated[
        Literal["logic", "block"],
        parameter("thresholds in LUTs, or from 18 words in block RAM, which is slower and saves LUTs"),
    ] = "logic"
    fifos: Annotated[
        Literal["lut-ram", "shift"],
        parameter("FIFOs of 6 to 33 values in distributed RAM, or as flip-flops that shift, as always on an iCE40"),
    ] = "lut-ram"


class LatticeJoinParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `join_lattice`."""

    part: Annotated[
        LatticeName, parameter("part of Lattice's that the layers were synthesised for", default_from="target.part")
    ]


def _write_scripts(sources: Sequence[str], synthesis: FamilySynthesis, multipliers: Multipliers) -> dict[str, str]:
    """Write the script that synthesises a layer and writes its netlist and the counts of its cells."""
    # With VERILATOR defined, FINN's units take the behavioural code that is simulated, and no Xilinx primitive.
    flags = "-j 1 --ignore-timing --ignore-assertions --allow-use-before-declare -D VERILATOR"
    return {
        "layer.ys": f"read_slang {flags} --top {LAYER} --keep-hierarchy {' '.join(sources)}\n"
        f"{synthesis.command} -top {LAYER}{synthesis.options[multipliers]}\n"
        f"tee -q -o {_CELLS} stat -json\nwrite_verilog -noattr -noexpr -renameprefix n {_NETLIST}\n"
    }


def synthesize_layer(step: Step[LatticeLayerParameters]) -> None:
    """Synthesise the layer."""
    family = find_part(step.params.part).family
    synthesis, layer = SYNTHESES[family], step.required_input("layer")
    chosen = {**msgspec.to_builtins(step.params), **synthesis.fixed, "family": family}
    sources = read_sources(layer)
    # Yosys names a module's source in its messages: without the folders, they are the same everywhere.
    for source in sources:
        name = Path(source).name
        text = edit_library(name, (layer / source).read_text(encoding="utf-8"), chosen)
        (step.work / name).write_text(text, encoding="utf-8")
    if (layer / "mem").is_dir():
        shutil.copytree(layer / "mem", step.work / "mem")
    names = [Path(source).name for source in sources]
    for name, text in _write_scripts(names, synthesis, step.params.multipliers).items():
        (step.work / name).write_text(text, encoding="utf-8")
    step.progress("synthesising")
    run_yosys(step.work, YOSYS, "layer.ys", failed="Yosys failed to synthesise the layer")
    write_layer(step, step.work / _CELLS, step.work / _NETLIST)


def join(step: Step[LatticeJoinParameters]) -> None:
    """Join the layers to one flat netlist."""
    part = find_part(step.params.part)
    family, synthesis = part.family, SYNTHESES[part.family]
    rtl, cells, netlists = (step.required_input(name) for name in ("rtl", "cells", "layer_netlist"))
    design = read_design(rtl)
    counts = read_cells(cells, design, "synthesize_lattice_layer")
    top = (rtl / "top.sv").read_text(encoding="utf-8")
    texts = read_netlists(netlists, design)
    (step.work / _NETLIST).write_text(join_netlists(design, top, texts), encoding="utf-8")
    (step.work / "join.ys").write_text(
        f"read_verilog -lib {' '.join(synthesis.library)}\n"
        f"read_verilog -sv -noblackbox {_NETLIST}\nhierarchy -check -top {design.top}\n"
        f"flatten -noscopeinfo\nopt_clean\nselect {design.top}\nwrite_json -selected {_JOINED}\n",
        encoding="utf-8",
    )
    step.progress("joining")
    run_yosys(step.work, YOSYS, "join.ys", failed="Yosys failed to join the layers' netlists")
    shutil.copyfile(step.work / _JOINED, step.output("lattice_netlist"))
    count = functools.partial(count_resources, family)
    write_synthesis(step, f"{family} ({part.device_name})", counts, count, synthesis.differences)


def declare(registry: Registry) -> None:
    """Declare the entries."""
    registry.entry(
        "synthesize_lattice_layer",
        summary="synthesise one layer of a stitched design for a device of Lattice's, with its weight memory",
        parameters=LatticeLayerParameters,
        inputs=(Input("layer", kind="tree", help="one folder of the layers from partition"),),
        outputs=(
            Output("cells", kind="file", media_type="application/json", help="cell -> count"),
            Output("layer_netlist", kind="file", media_type="text/x-verilog"),
        ),
        failure="synthesis",
    )(synthesize_layer)
    registry.entry(
        "join_lattice",
        summary="join the layers to one netlist for nextpnr, and count LUT, FF, DSP, BRAM and CARRY of each",
        parameters=LatticeJoinParameters,
        inputs=(
            Input("rtl", kind="tree", help="stitched design"),
            Input("cells", kind="tree", help="a folder for each layer, from synthesize_lattice_layer"),
            Input("layer_netlist", kind="tree", help="a folder for each layer, from synthesize_lattice_layer"),
        ),
        outputs=(
            Output("synthesis", kind="file", media_type="application/json"),
            Output("lattice_netlist", kind="file", media_type="application/json", help="netlist for nextpnr"),
        ),
        stage_in=("rtl",),
        stage_out="netlist",
        failure="synthesis",
    )(join)
