"""The STAND-IN for Vivado: takes batch mode's options, carries out the Tcl, checks it, writes recorded reports."""

import argparse
import os
import sys
from pathlib import Path

from vivado_stand_in.block_design import BlockDesigns
from vivado_stand_in.design import Design
from vivado_stand_in.packager import Packager
from vivado_stand_in.project import Project
from vivado_stand_in.session import Session


def main() -> int:
    """As `vivado -mode batch -source X.tcl` is called."""
    parser = argparse.ArgumentParser(prog="vivado (STAND-IN)")
    parser.add_argument("-mode", required=True, choices=["batch"])
    parser.add_argument("-nojournal", action="store_true")
    parser.add_argument("-notrace", action="store_true")
    parser.add_argument("-log", type=Path, default=Path("vivado.log"))
    parser.add_argument("-source", type=Path, required=True)
    parser.add_argument("-tclargs", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if os.environ.get("XILINX_LOCAL_USER_DATA") != "no" or not os.access(os.environ["HOME"], os.W_OK):
        print("STAND-IN: XILINX_LOCAL_USER_DATA is not no, or HOME cannot be written", file=sys.stderr)
        return 2
    session = Session(given.log, "Vivado")
    project = Project(session, Design(session))
    designs = BlockDesigns(session, project)
    Packager(session, project, designs)
    session.core.script = str(given.source)
    code = session.run(given.source.read_text())
    if project.name:
        project.save()
    return code


if __name__ == "__main__":
    sys.exit(main())
