"""The entries of the yosys-synth executor."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Annotated

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.design import DESIGN, Design, read_design
from bskernel_executors.exchange.synthesis import CellSynthesis
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter
from bskernel_executors.sdk.tools import module_command, run_tool
from bskernel_executors.yosys_synth.counts import DIFFERENCES, count_layers, count_resources
from bskernel_executors.yosys_synth.netlist import find_unmodelled, make_netlist_design
from bskernel_executors.yosys_synth.tool import find_library

registry = Registry(executor="yosys-synth", summary="synthesises a stitched design with Yosys")
_FLAT, _KEPT, _NETLIST = "flat.json", "layers.json", "netlist.v"
_PRIMITIVES = ("DSP48E1", "DSP48E2", "LUT6_2")
# Beginning of a part's name -> Yosys's family.
_FAMILIES = {"xc7": "xc7", "xczu": "xcup", "xcu": "xcup", "xck": "xcup", "xcku": "xcup", "xcvu": "xcup"}


class YosysParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `synthesize`."""

    part: Annotated[str, parameter("FPGA part", default_from="target.part")]
    netlist: Annotated[
        bool, parameter("also output the netlist with models of its cells, as a design for rtl-sim")
    ] = False


def find_family(part: str) -> str:
    """Find Yosys's family of a part. Raises StepFailure (config) for a part that Yosys does not support."""
    fitting = [prefix for prefix in _FAMILIES if part.lower().startswith(prefix)]
    if not fitting:
        raise StepFailure(
            category="config",
            message=f"Yosys does not support part {part!r}",
            hint="it supports 7-series and UltraScale+, but not Versal",
        )
    return _FAMILIES[max(fitting, key=len)]


def _copy_blackboxes(share: Path) -> str:
    """Copy the primitives that FINN's library instantiates from Yosys's simulation library, as black boxes."""
    text = "".join((share / name).read_text(encoding="utf-8") for name in ("cells_sim.v", "cells_xtra.v"))
    boxes = []
    for name in _PRIMITIVES:
        found = re.search(rf"^module {name}\b.*?^endmodule", text, re.DOTALL | re.MULTILINE)
        if found is None:
            raise StepFailure(category="executor", message=f"Yosys's library has no module {name}")
        boxes.append(f"(* blackbox *)\n{found.group()}\n")
    return "\n".join(boxes)


def _write_scripts(design: Design, family: str, *, netlist: bool) -> dict[str, str]:
    """Write the script that reads the design, and those that synthesise it: flat, and with layers kept."""
    names = " ".join(Path(source).name for source in design.sources)
    flags = "-j 1 --ignore-timing --ignore-assertions --allow-use-before-declare"
    top = design.top
    layers = [name for layer in design.layers for name in (layer, f"{layer}_memstream_wrapper")]
    kept = "".join(f"setattr -mod -set keep_hierarchy 1 {name}$*\n" for name in layers)
    synthesis = f"synth_xilinx -family {family} -top {top} -flatten -noiopad -noclkbuf\n"
    written = f"write_verilog -noattr -noexpr -renameprefix n {_NETLIST}\n" if netlist else ""
    return {
        "read.ys": f"read_slang {flags} --top {top} --keep-hierarchy blackboxes.v {names}\n",
        "flat.ys": f"{synthesis}tee -q -o {_FLAT} stat -json\n{written}",
        "layers.ys": f"{kept}{synthesis}tee -q -o {_KEPT} stat -json\n",
    }


def _write_netlist(step: Step[YosysParameters], design: Design, cells: set[str], share: Path) -> None:
    """Write the output `netlist`. Raises StepFailure when a cell has no model."""
    library = (share / "cells_sim.v").read_text(encoding="utf-8")
    unmodelled = find_unmodelled(cells, library)
    if unmodelled:
        raise StepFailure(
            message=f"the netlist cannot be simulated, because {', '.join(unmodelled)} has no model",
            hint="to count resources only, leave out netlist = true",
        )
    own = {path.name: path.read_text(encoding="utf-8") for path in Path(__file__).with_name("models").iterdir()}
    text = (step.work / _NETLIST).read_text(encoding="utf-8")
    netlist, files = make_netlist_design(design, text, cells, library, own)
    out = step.output("netlist")
    for name, content in (*files.items(), (DESIGN, pretty_json(netlist))):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(content, encoding="utf-8")


@registry.entry(
    "synthesize",
    summary="LUT, FF, DSP, BRAM, URAM and CARRY of a stitched design and each of its layers",
    parameters=YosysParameters,
    inputs=(Input("rtl", kind="tree", help="stitched design"),),
    outputs=(
        Output("synthesis", kind="file", media_type="application/json"),
        Output("netlist", kind="tree", required=False, help="with parameter netlist"),
    ),
    stage_in=("rtl",),
    stage_out="netlist",
    failure="synthesis",
)
def synthesize(step: Step[YosysParameters]) -> None:
    """Synthesise the design."""
    family = find_family(step.params.part)
    rtl = step.required_input("rtl")
    design = read_design(rtl)
    share = find_library() / "xilinx"
    # Yosys names a module's source in its messages: without the folders, they are the same everywhere.
    for source in design.sources:
        shutil.copyfile(rtl / source, step.work / Path(source).name)
    shutil.copytree(rtl / "mem", step.work / "mem")
    (step.work / "blackboxes.v").write_text(_copy_blackboxes(share), encoding="utf-8")
    scripts = _write_scripts(design, family, netlist=step.params.netlist)
    for name, text in scripts.items():
        (step.work / name).write_text(text, encoding="utf-8")
    step.progress("synthesising")
    run_tool(
        [*module_command("bskernel_executors.yosys_synth.tool"), *scripts],
        cwd=step.work,
        env=os.environ,
        failed="Yosys failed to synthesise the design",
    )
    flat, kept = (json.loads((step.work / name).read_text(encoding="utf-8")) for name in (_FLAT, _KEPT))
    if step.params.netlist:
        # $scopeinfo is not hardware: it marks where a flattened module was.
        cells = flat["design"]["num_cells_by_type"].keys() - {"$scopeinfo"}
        _write_netlist(step, design, cells, share)
    result = CellSynthesis(
        tool="Yosys 0.70",
        family=family,
        design=count_resources(flat["design"]["num_cells_by_type"]),
        layers=count_layers(kept, design.layers, design.top),
        differences=DIFFERENCES,
    )
    step.output("synthesis").write_text(pretty_json(result), encoding="utf-8")
    step.record({"summary": [{"label": "synthesis", "value": text, "note": result.tool} for text in DIFFERENCES]})
