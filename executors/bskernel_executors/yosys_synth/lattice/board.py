"""The entries of a board's netlist, and of netlists with models of their cells."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.design import DESIGN, NETWORK, read_design
from bskernel_executors.exchange.file_tree import write_files
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure
from bskernel_executors.yosys_synth.lattice import ecp5_models, ice40_models
from bskernel_executors.yosys_synth.lattice.netlist_text import count_cells, read_netlist, write_netlist
from bskernel_executors.yosys_synth.lattice.tool import YOSYS
from bskernel_executors.yosys_synth.layers import run_yosys
from bskernel_executors.yosys_synth.tool import find_library

_JSON = "application/json"
_MODELS = Path(__file__).parents[1] / "models"
_NETLIST, _JOINED, _BOXES = "network.json", "joined.json", "boxes.v"
_PORTS = re.compile(r"^module (\w+) \((.*?)\);", re.DOTALL | re.MULTILINE)


def write_box(top: str, name: str) -> str:
    """Write a black box with the ports of the module `name` in the text of a stitched design's top module.

    Raises StepFailure (config).
    """
    found = next((match for match in _PORTS.finditer(top) if match[1] == name), None)
    if found is None:
        raise StepFailure(category="config", message=f"top.sv has no module {name}", hint="stitch the design again")
    ports = re.sub(r"`ifdef.*?`endif\n", "", found[2], flags=re.DOTALL)
    return f"(* blackbox *)\nmodule {name} ({ports});\nendmodule\n"


def _copy_pll(share: Path) -> str:
    found = re.search(
        r"^module EHXPLLL\b.*?^endmodule", (share / "cells_bb_ecp5.v").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise StepFailure(category="executor", message="Yosys's library has no module EHXPLLL")
    return f"(* blackbox *)\n{found.group()}\n"


def synthesize_board(step: Step[msgspec.Struct]) -> None:
    """Synthesise the board's wrapper, and put the network's netlist into it."""
    source = step.required_input("board_rtl")
    design = read_design(source)
    wrapper = [name for name in design.sources if name.startswith("board/")]
    for name in wrapper:
        shutil.copyfile(source / name, step.work / Path(name).name)
    if (source / "mem").is_dir():
        shutil.copytree(source / "mem", step.work / "mem")
    shutil.copyfile(step.required_input("lattice_netlist"), step.work / _NETLIST)
    box = write_box((source / "top.sv").read_text(encoding="utf-8"), NETWORK)
    (step.work / _BOXES).write_text(_copy_pll(find_library() / "lattice") + box, encoding="utf-8")
    flags = "-j 1 --ignore-timing --ignore-assertions --keep-hierarchy"
    (step.work / "board.ys").write_text(
        f"read_slang {flags} --top {design.top} {_BOXES} {' '.join(Path(name).name for name in wrapper)}\n"
        f"synth_lattice -family ecp5 -top {design.top} -nodsp\n"
        f"delete ={NETWORK}\nread_json {_NETLIST}\nhierarchy -check -top {design.top}\n"
        f"flatten -noscopeinfo\nopt_clean\nselect {design.top}\nwrite_json -selected {_JOINED}\n",
        encoding="utf-8",
    )
    step.progress("synthesising the wrapper")
    run_yosys(step.work, YOSYS, "board.ys", failed="Yosys failed to synthesise the board's wrapper")
    shutil.copyfile(step.work / _JOINED, step.output("lattice_netlist"))


def _model(step: Step[msgspec.Struct], name: str) -> None:
    """Write a netlist as a design for rtl-sim. Raises StepFailure when a cell has no model."""
    design = read_design(step.required_input("rtl"))
    netlist = read_netlist(step.required_input(name).read_bytes(), design.top)
    cells = count_cells(netlist)
    own = {path.name: path.read_text(encoding="utf-8") for path in _MODELS.iterdir()}
    if ice40_models.is_ice40(cells):
        library = (find_library() / "ice40" / "cells_sim.v").read_text(encoding="utf-8")
        unmodelled = ice40_models.find_unmodelled(cells, library)
        models = ice40_models.select_models(cells, library, own)
    else:
        translated = {"TRELLIS_IO": "bskernel_ecp5_input_pin"} if netlist.routed else {}
        unmodelled = ecp5_models.find_unmodelled((translated.get(kind, kind) for kind in cells), own)
        models = ecp5_models.select_models(cells, own)
    if unmodelled:
        raise StepFailure(message=f"the netlist cannot be simulated, because {', '.join(unmodelled)} has no model")
    files = {**models, "netlist.v": write_netlist(netlist, design.top)}
    # What a layer holds and how streams move is not seen in a netlist.
    described = msgspec.structs.replace(design, sources=tuple(sorted(files)), fifos=(), streams=())
    texts = {**files, DESIGN: pretty_json(described)}
    write_files(step.output("netlist"), {path: text.encode() for path, text in texts.items()})
    step.record({"cells": cells})


def model_synthesised(step: Step[msgspec.Struct]) -> None:
    """Write the synthesised netlist as a design."""
    _model(step, "lattice_netlist")


def model_routed(step: Step[msgspec.Struct]) -> None:
    """Write the routed netlist as a design."""
    _model(step, "routed_netlist")


def declare_board(registry: Registry) -> None:
    """Declare the entries."""
    network = Input("lattice_netlist", kind="file", help="from join_lattice", media_type=_JSON)
    registry.entry(
        "synthesize_ecp5_board",
        summary="synthesise a board's wrapper for an ECP5, with the network's netlist inside",
        inputs=(Input("board_rtl", kind="tree", help="from rtl-sim:wrap_board"), network),
        outputs=(Output("lattice_netlist", kind="file", media_type=_JSON, help="netlist for nextpnr"),),
        stage_in=("netlist",),
        stage_out="netlist",
        failure="synthesis",
    )(synthesize_board)
    rtl = Input("rtl", kind="tree", help="the design that the netlist was made from")
    netlist = Output("netlist", kind="tree", help="a design for rtl-sim")
    registry.entry(
        "model_lattice_netlist",
        summary="a synthesised netlist with models of its cells, as a design that rtl-sim can simulate",
        inputs=(rtl, network),
        outputs=(netlist,),
    )(model_synthesised)
    registry.entry(
        "model_routed_netlist",
        summary="a routed netlist with models of its cells, as a design that rtl-sim can simulate",
        inputs=(
            rtl,
            Input(
                "routed_netlist", kind="file", help="from nextpnr-route:route with write_netlist", media_type=_JSON
            ),
        ),
        outputs=(netlist,),
    )(model_routed)
