"""Yosys in a process of its own: `python tool.py BEFORE MEMORIES AFTER`. Its log is log.txt, its errors go to stderr.

BEFORE and AFTER are scripts. MEMORIES maps memories and is left out where there is none: it takes seconds all the
same. It is JSON: `choice`, a pass that chooses a kind of RAM for each memory; `has_ultra`, whether UltraRAM exists;
`maps`, files of Yosys's that replace the chosen; `block_rams`, a file that replaces single block RAMs without their
contents, which are put into them here.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bskernel_executors.yosys_synth.block_ram import holds, split_contents
from bskernel_executors.yosys_synth.memory_style import ATTRIBUTE, MemoryFacts, choose_kind

if TYPE_CHECKING:
    from collections.abc import Callable

_CHOSEN = "$__"  # begins the names of what choices make and maps replace
_MARK = "bskernel_contents"


class MemoryScript(msgspec.Struct, frozen=True, kw_only=True):
    """What maps the memories of a layer."""

    choice: str
    has_ultra: bool
    maps: tuple[str, ...]
    block_rams: str


def find_library() -> Path:
    """Find the folder of Yosys's libraries of cells, without loading Yosys. Raises ModuleNotFoundError."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pyosys is not installed")
    return Path(spec.origin).parent / "share"


def load_yosys() -> Any:
    """Import Yosys for scripts in the working directory.

    Yosys splits the paths of its libraries and programs at spaces, so it finds both by links here.
    """
    folder = find_library().parent
    for name in ("share", "yosys-abc"):
        Path(name).symlink_to(folder / name)
    os.environ["TMPDIR"] = "."
    import pyosys  # noqa: F401 - sets what its library reads when that is loaded

    vars(sys).update({"_pyosys_share_dirname": "share/", "_pyosys_abc": "./yosys-abc"})
    from pyosys import libyosys

    return libyosys


def set_kinds(design: Any, *, has_ultra: bool) -> None:
    """Tell Yosys which kind of RAM each memory of the design's top module asks for."""
    from pyosys import libyosys

    for cell in design.top_module().cells_.values():
        if not cell.type.str().startswith("$mem"):
            continue

        def bits(parameter: str, cell: Any = cell) -> str:
            return str(cell.getParam(libyosys.IdString(f"\\{parameter}")).as_string())

        facts = MemoryFacts(
            is_written="1" in bits("WR_PORTS"),
            has_contents="1" in bits("INIT"),
            is_clocked="0" not in bits("RD_CLK_ENABLE"),
        )
        attributes = {name.str().removeprefix("\\"): value.decode_string() for name, value in cell.attributes.items()}
        kind = choose_kind(attributes, facts, has_ultra=has_ultra)
        # Yosys chooses by size if it sees "auto".
        cell.set_string_attribute(libyosys.IdString(f"\\{ATTRIBUTE}"), kind or "auto")


def map_memories(design: Any, run: Callable[[str], None], script: MemoryScript) -> None:
    """Replace the memories of the design's top module by RAMs."""
    from pyosys import libyosys

    def identifier(name: str) -> Any:
        return libyosys.IdString(f"\\{name}")

    set_kinds(design, has_ultra=script.has_ultra)
    run(script.choice)
    contents = {}
    for cell in design.top_module().cells_.values():
        if cell.type.str().startswith(_CHOSEN) and cell.hasParam(identifier("INIT")):
            bits = cell.getParam(identifier("INIT")).as_string()
            if holds(bits):
                contents[cell.name.str()] = bits
                cell.unsetParam(identifier("INIT"))
                cell.set_bool_attribute(identifier(_MARK))
    run(f"techmap -map {script.block_rams} a:{_MARK}")
    for name, cell in design.top_module().cells_.items():
        if (bits := contents.get(name.str())) is not None:
            for parameter, value in split_contents(bits).items():
                cell.setParam(identifier(parameter), libyosys.Const.from_string(value))
    for path in script.maps:
        if any(cell.type.str().startswith(_CHOSEN) for cell in design.top_module().cells_.values()):
            run(f"techmap -map {path}")


def main() -> int:
    """Run the scripts. Yosys ends the process with 1 on an error."""
    libyosys = load_yosys()
    before, memories, after = sys.argv[1:]
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.close(log)
    design = libyosys.Design()

    def run(command: str) -> None:
        libyosys.run_pass(command, design)

    run(f"script {before}")
    run("tee -q -o memories.txt select -count t:$mem*")
    if not Path("memories.txt").read_text(encoding="utf-8").startswith("0 "):
        map_memories(design, run, msgspec.json.decode(Path(memories).read_bytes(), type=MemoryScript))
    run(f"script {after}")
    libyosys.log_flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
