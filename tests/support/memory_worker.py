"""Maps the memories of top.v twice, by bskernel's tool and by Yosys's maps alone, and writes the cells of each.

Runs in yosys-synth's environment: memory_worker.py PROTOCOL EXECUTORS FAMILY.
"""

import json
import sys
from pathlib import Path
from typing import Any


def describe(design: Any) -> dict[str, Any]:
    """The cells of memories, which have names, with their parameters. Contents are those that differ from zero."""
    cells = {}
    for name, cell in design.top_module().cells_.items():
        parameters = {key.str(): value.as_string() for key, value in cell.parameters.items()}
        told = {key: value for key, value in parameters.items() if set(value) != {"0"} or "INIT" not in key}
        if name.str().startswith("\\"):
            cells[name.str()] = {"type": cell.type.str(), "parameters": told}
    return cells


def main() -> None:
    sys.path[:0] = sys.argv[1:3]
    from bskernel_executors.yosys_synth.block_ram import BLOCK_RAM_MAPS, CHOICES, drop_contents, list_maps
    from bskernel_executors.yosys_synth.tool import MemoryScript, find_library, map_memories
    from pyosys import libyosys

    family = sys.argv[3]
    folder = find_library() / "xilinx"
    text = drop_contents(*((folder / name).read_text() for name in (BLOCK_RAM_MAPS[family], "brams_defs.vh")))
    Path("block_rams.v").write_text(text)
    maps = tuple(f"+/xilinx/{name}" for name in list_maps(family))
    script = MemoryScript(choice=CHOICES[family], has_ultra=family == "xcup", maps=maps, block_rams="block_rams.v")
    for name in ("ours.json", "yosys.json"):
        design = libyosys.Design()

        def run(command: str, design: Any = design) -> None:
            libyosys.run_pass(command, design)

        for command in ("read_verilog top.v", "hierarchy -top top", "proc", "opt", "memory -nomap", "opt_clean"):
            run(command)
        if name == "ours.json":
            map_memories(design, run, script)
        else:
            run(f"synth_xilinx -family {family} -top top -run map_memory:map_ffram")
        Path(name).write_text(json.dumps(describe(design)))


main()
