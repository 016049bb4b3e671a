"""Run Yosys, a library of native code, in processes of its own.

`python -m bskernel_executors.yosys_synth.tool READ SCRIPT...` runs the script READ, then each SCRIPT on what it read,
side by side. The log of NAME.ys is NAME.log. The errors of the first script that failed are printed.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def find_library() -> Path:
    """Find the folder of Yosys's libraries of cells, without loading Yosys. Raises ModuleNotFoundError."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pyosys is not installed")
    return Path(spec.origin).parent / "share"


def _redirect(stream: int, path: Path) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(opened, stream)
    os.close(opened)


def _run_script(design: Any, script: str) -> None:
    """Run a script. Yosys ends the process with 1 on an error."""
    from pyosys import libyosys

    _redirect(1, Path(script).with_suffix(".log"))
    libyosys.run_pass(f"script {script}", design)
    libyosys.log_flush()


def _fork_for(design: Any, script: str) -> int:
    """Fork a process that runs a script on a copy of the design, and return its number."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _redirect(2, Path(script).with_suffix(".errors"))
            _run_script(design, script)
            status = 0
        finally:  # a forked child must never return into its parent's code
            os._exit(status)
    return pid


def main() -> int:
    """Run the scripts that the arguments name. The exit code is 0 if all of them ran to their end."""
    from pyosys import libyosys

    read, *scripts = sys.argv[1:]
    design = libyosys.Design()
    _run_script(design, read)
    pids = [_fork_for(design, script) for script in scripts]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    # In the order of the scripts, whichever failed first: the same error gives the same text.
    for script, code in zip(scripts, codes, strict=True):
        sys.stderr.write(Path(script).with_suffix(".errors").read_text(encoding="utf-8", errors="replace"))
        if code < 0:
            sys.stderr.write(f"ERROR: {signal.Signals(-code).name} ended Yosys in {script}\n")
        if code != 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
