"""The entries of the yosys-synth executor."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.devices.resources import find_device
from bskernel_executors.exchange.design import DESIGN, Design, read_design
from bskernel_executors.exchange.file_tree import read_files, write_files
from bskernel_executors.exchange.parts import AMD_EXAMPLES
from bskernel_executors.lattice.boards import list_board_parts
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter
from bskernel_executors.yosys_synth.counts import DIFFERENCES, count_resources
from bskernel_executors.yosys_synth.lattice.board import declare_board
from bskernel_executors.yosys_synth.lattice.entries import declare as declare_lattice
from bskernel_executors.yosys_synth.layers import (
    add_cells,
    read_cells,
    read_netlists,
    read_sources,
    run_yosys,
    write_layer,
    write_synthesis,
)
from bskernel_executors.yosys_synth.netlist import find_unmodelled, make_netlist_design
from bskernel_executors.yosys_synth.partition import join_netlists, partition
from bskernel_executors.yosys_synth.tool import find_library
from bskernel_executors.yosys_synth.xilinx_script import AFTER, BEFORE, CELLS, MEMORIES, NETLIST, write_script

registry = Registry(executor="yosys-synth", summary="synthesises a stitched design with Yosys")
_LIBRARY = {".v", ".vh"}  # Verilog of Yosys's library of cells
# Beginning of a part's name -> Yosys's family.
_FAMILIES = {"xc7": "xc7", "xczu": "xcup", "xcu": "xcup", "xck": "xcup", "xcku": "xcup", "xcvu": "xcup"}
_Part: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=f"^(?i:{'|'.join(_FAMILIES)})",
        extra_json_schema={"title": "part of AMD's 7 series or UltraScale+", "examples": list(AMD_EXAMPLES)},
    ),
]


class LayerParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `synthesize_layer`."""

    part: Annotated[_Part, parameter("FPGA part", default_from="target.part")]


class JoinParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `join`."""

    part: Annotated[_Part, parameter("FPGA part that the layers were synthesised for", default_from="target.part")]
    netlist: Annotated[
        bool, parameter("also output the netlist with models of its cells, as a design for rtl-sim")
    ] = False


def find_family(part: str) -> str:
    """Find Yosys's family of a part that `_Part` takes."""
    return _FAMILIES[max((prefix for prefix in _FAMILIES if part.lower().startswith(prefix)), key=len)]


def has_ultra(part: str) -> bool:
    """Return whether a part has UltraRAM. One that is not known has it if its family does."""
    device = find_device(part, None)
    return find_family(part) == "xcup" and (device is None or device.URAM > 0)


@registry.entry(
    "partition",
    summary="a folder for each layer of a stitched design; folders of equal layers are equal",
    inputs=(Input("rtl", kind="tree", help="stitched design"),),
    outputs=(Output("layers", kind="tree"),),
    stage_in=("rtl",),
    failure="synthesis",
)
def partition_design(step: Step[msgspec.Struct]) -> None:
    """Write the layers' folders."""
    rtl = step.required_input("rtl")
    design = read_design(rtl)
    layers = partition(design, read_files(rtl))
    for name, folder in layers.items():
        write_files(step.output("layers") / name, folder)
    step.record({"layers": len(layers)})


@registry.entry(
    "synthesize_layer",
    summary="synthesise one layer of a stitched design, with its weight memory",
    parameters=LayerParameters,
    inputs=(Input("layer", kind="tree", help="one folder of the layers from partition"),),
    outputs=(
        Output("cells", kind="file", media_type="application/json", help="cell -> count"),
        Output("layer_netlist", kind="file", media_type="text/x-verilog"),
    ),
    failure="synthesis",
)
def synthesize_layer(step: Step[LayerParameters]) -> None:
    """Synthesise the layer."""
    family = find_family(step.params.part)
    layer = step.required_input("layer")
    sources = read_sources(layer)
    # Yosys names a module's source in its messages: without the folders, they are the same everywhere.
    for source in sources:
        shutil.copyfile(layer / source, step.work / Path(source).name)
    if (layer / "mem").is_dir():
        shutil.copytree(layer / "mem", step.work / "mem")
    folder = find_library() / "xilinx"
    library = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in _LIBRARY}
    names = [Path(source).name for source in sources]
    for name, text in write_script(family, names, library, has_ultra=has_ultra(step.params.part)).items():
        (step.work / name).write_text(text, encoding="utf-8")
    step.progress("synthesising")
    failed = "Yosys failed to synthesise the layer"
    run_yosys(step.work, "bskernel_executors.yosys_synth.tool", BEFORE, MEMORIES, AFTER, failed=failed)
    write_layer(step, step.work / CELLS, step.work / NETLIST)


def _write_netlist(step: Step[JoinParameters], design: Design, top: str, cells: set[str]) -> None:
    """Write the output `netlist`. Raises StepFailure when a cell has no model."""
    library = (find_library() / "xilinx" / "cells_sim.v").read_text(encoding="utf-8")
    unmodelled = find_unmodelled(cells, library)
    if unmodelled:
        raise StepFailure(
            message=f"the netlist cannot be simulated, because {', '.join(unmodelled)} has no model",
            hint="to count resources only, leave out netlist = true",
        )
    own = {path.name: path.read_text(encoding="utf-8") for path in Path(__file__).with_name("models").iterdir()}
    netlists = read_netlists(step.required_input("layer_netlist"), design)
    netlist, files = make_netlist_design(design, join_netlists(design, top, netlists), cells, library, own)
    texts = {**files, DESIGN: pretty_json(netlist)}
    write_files(step.output("netlist"), {name: text.encode() for name, text in texts.items()})


@registry.entry(
    "join",
    summary="LUT, FF, DSP, BRAM, URAM and CARRY of a design and each of its layers, from those synthesised alone",
    parameters=JoinParameters,
    inputs=(
        Input("rtl", kind="tree", help="stitched design"),
        Input("cells", kind="tree", help="a folder for each layer, from synthesize_layer"),
        Input("layer_netlist", kind="tree", help="a folder for each layer, from synthesize_layer"),
    ),
    outputs=(
        Output("synthesis", kind="file", media_type="application/json"),
        Output("netlist", kind="tree", required=False, help="with parameter netlist"),
    ),
    stage_in=("rtl",),
    stage_out="netlist",
    failure="synthesis",
)
def join(step: Step[JoinParameters]) -> None:
    """Join the layers."""
    rtl, folder = step.required_input("rtl"), step.required_input("cells")
    design = read_design(rtl)
    cells = read_cells(folder, design, "synthesize_layer")
    if step.params.netlist:
        _write_netlist(step, design, (rtl / "top.sv").read_text(encoding="utf-8"), set(add_cells(cells)))
    write_synthesis(step, find_family(step.params.part), cells, count_resources, DIFFERENCES)


declare_lattice(registry)
declare_board(registry)
registry.boards = list_board_parts()
