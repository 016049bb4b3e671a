"""Yosys in a process of its own: `python tool.py READ SYNTHESISE WRITE`. Its log is log.txt, its errors go to stderr.

READ and WRITE are scripts, SYNTHESISE is a pass that has stages.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def find_library() -> Path:
    """Find the folder of Yosys's libraries of cells, without loading Yosys. Raises ModuleNotFoundError."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pyosys is not installed")
    return Path(spec.origin).parent / "share"


def main() -> int:
    """Read, synthesise, write. Yosys ends the process with 1 on an error."""
    from pyosys import libyosys

    read, synthesise, write = sys.argv[1:]
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.close(log)
    design = libyosys.Design()

    def run(command: str) -> None:
        libyosys.run_pass(command, design)

    run(f"script {read}")
    run(f"{synthesise} -run :map_memory")
    run("tee -q -o memories.txt select -count t:$mem*")
    # Mapping memories takes seconds also where there is none.
    if not Path("memories.txt").read_text(encoding="utf-8").startswith("0 "):
        run(f"{synthesise} -run map_memory:map_ffram")
    run(f"{synthesise} -run map_ffram:")
    run(f"script {write}")
    libyosys.log_flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
