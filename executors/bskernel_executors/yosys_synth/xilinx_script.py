"""Write the scripts with which Yosys synthesises a layer for a Xilinx family. Pure.

A layer is synthesised as by synth_xilinx, but faster: Yosys keeps a part of its library of cells, because each pass
takes time for every cell that it knows, and block RAMs are mapped without their contents (`block_ram`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bskernel_protocol import pretty_json

from bskernel_executors.yosys_synth.block_ram import BLOCK_RAM_MAPS, CHOICES, drop_contents, list_maps
from bskernel_executors.yosys_synth.partition import LAYER

BEFORE, MEMORIES, AFTER = "before.ys", "memories.json", "after.ys"
CELLS, NETLIST = "cells.json", "netlist.v"
_BOXES, _CELLS_XTRA, _BLOCK_RAMS = "blackboxes.v", "cells_xtra.v", "block_rams.v"
_PRIMITIVES = ("DSP48E1", "DSP48E2", "LUT6_2")  # what FINN's library instantiates
_MODULE = re.compile(r"^module (\w+)\b.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"\w+")


def find_modules(text: str) -> dict[str, str]:
    """Find the modules of a library of cells: name -> text."""
    return {found[1]: found.group() for found in _MODULE.finditer(text)}


def write_script(
    family: str, sources: Sequence[str], library: Mapping[str, str], *, has_ultra: bool
) -> dict[str, str]:
    """Write the scripts BEFORE, MEMORIES and AFTER of `tool`, and the files that they read beside `sources`.

    `library` are the files of Yosys's share/xilinx by name. `has_ultra`: the part has UltraRAM. Raises KeyError if
    the library lacks a file or a primitive.
    """
    simulated, others = find_modules(library["cells_sim.v"]), find_modules(library["cells_xtra.v"])
    boxes = [(simulated | others)[name] for name in _PRIMITIVES]
    maps = [name for name in library if name.endswith("_map.v") and ("xc" not in name or name in list_maps(family))]
    named = {*_PRIMITIVES, *(word for name in maps for word in _WORD.findall(library[name]))}
    named |= {word for name in named & simulated.keys() for word in _WORD.findall(simulated[name])}
    unused = (f"={name}" for name in simulated if name not in named)
    flags = "-j 1 --ignore-timing --ignore-assertions --allow-use-before-declare"
    synthesise = f"synth_xilinx -family {family} -top {LAYER} -flatten -noiopad -noclkbuf"
    before = (
        f"read_slang {flags} --top {LAYER} --keep-hierarchy {_BOXES} {' '.join(sources)}",
        "read_verilog -lib -specify +/xilinx/cells_sim.v",
        f"read_verilog -lib {_CELLS_XTRA}",
        f"delete {' '.join(unused)}",
        f"hierarchy -check -top {LAYER}",
        f"{synthesise} -run prepare:map_memory",
    )
    after = (
        f"{synthesise} -run map_ffram:",
        f"tee -q -o {CELLS} stat -json",
        f"write_verilog -noattr -noexpr -renameprefix n {NETLIST}",
    )
    memories = {
        "choice": CHOICES[family],
        "has_ultra": has_ultra,
        "maps": [f"+/xilinx/{name}" for name in list_maps(family)],
        "block_rams": _BLOCK_RAMS,
    }
    return {
        BEFORE: "\n".join(before) + "\n",
        MEMORIES: pretty_json(memories),
        AFTER: "\n".join(after) + "\n",
        _BOXES: "\n".join(f"(* blackbox *)\n{text}" for text in boxes),
        _CELLS_XTRA: "\n".join(text for name, text in others.items() if name in named),
        _BLOCK_RAMS: drop_contents(library[BLOCK_RAM_MAPS[family]], library["brams_defs.vh"]),
    }
