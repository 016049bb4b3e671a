"""Yosys in a process of its own: `python tool.py SCRIPT`. Its log is log.txt, its errors go to stderr."""

from __future__ import annotations

import os
import sys

from bskernel_executors.yosys_synth.tool import load_yosys

YOSYS = "bskernel_executors.yosys_synth.lattice.tool"  # this module, as a process is started with it


def main() -> int:
    """Run the script. Yosys ends the process with 1 on an error."""
    libyosys = load_yosys()
    (script,) = sys.argv[1:]
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.close(log)
    libyosys.run_pass(f"script {script}", libyosys.Design())
    libyosys.log_flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
