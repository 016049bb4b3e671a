"""The process of one run of a project, as `launch_runs` starts it. Of the STAND-IN."""

import sys
from pathlib import Path

from vivado_stand_in.design import Design
from vivado_stand_in.project import run
from vivado_stand_in.session import Session
from vivado_stand_in.tcl import TclError

name, top, part, to_step = sys.argv[1:]
session = Session(Path("runme.log"), "Vivado")
design = Design(session)
design.part = part
try:
    run(session, design, name, top, to_step)
except TclError as error:
    session.say(str(error))
    sys.exit(1)
