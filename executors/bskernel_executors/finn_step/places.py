"""Where things lie on this machine, and what stands for it in artifacts; what FINN expects of its surroundings."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import Step
from bskernel_executors.sdk.relocation import Moves

DEPENDENCIES = "deps"  # the input: what FINN+ downloads when it is set up
_WORK, _LIBRARY, _HOME = "/@bskernel-finn@", "/@bskernel-library@", "/@bskernel-home@"
_TOOLS = {"XILINX_VIVADO": "/@bskernel-vivado@", "XILINX_HLS": "/@bskernel-hls@"}
# What FINN's own command line sets: names of folders in the package finn, in Tcl that it gives to the tools.
_IN_FINN = {"FINN_RTLLIB": "finn-rtllib", "FINN_CUSTOM_HLS": "custom_hls"}


def _named(step: Step[Any]) -> list[tuple[str, str]]:
    # FINN's scripts end in the folder that its process runs in.
    named = [(str(step.work), _WORK), (sys.prefix, _LIBRARY), (str(Path.cwd()), _HOME)]
    named += [(os.environ.get(variable, ""), token) for variable, token in _TOOLS.items()]
    return [(here, token) for here, token in named if len(here) > len("/")]


def from_here(step: Step[Any]) -> Moves:
    """This machine's paths and their tokens: the step's scratch folder, the libraries, the tools that it is given."""
    return sorted(_named(step), key=lambda move: -len(move[0]))


def to_here(step: Step[Any]) -> Moves:
    """The tokens, and the paths of this machine."""
    return [(token, here) for here, token in _named(step)]


def surround(step: Step[Any], state: Path) -> None:
    """The variables that FINN reads, and its settings; 1.4.0 has no settings and reads the variables alone."""
    os.environ["FINN_BUILD_DIR"] = str(state)
    os.environ["NUM_DEFAULT_WORKERS"] = "1"
    # Scripts that a step without dependencies writes name this place too: a later one that runs them has them there.
    dependencies = step.work / "deps"
    given = step.input(DEPENDENCIES) if DEPENDENCIES in step.inputs else None
    if given is not None:
        dependencies.symlink_to(given, target_is_directory=True)
    os.environ["FINN_DEPS"] = str(dependencies)
    finn = importlib.util.find_spec("finn")
    package = Path(finn.origin).parent if finn is not None and finn.origin is not None else None
    for variable, folder in _IN_FINN.items():
        if package is not None and (package / folder).is_dir():
            os.environ[variable] = str(package / folder)
    if importlib.util.find_spec("finn.util.settings") is not None:
        settings = importlib.import_module("finn.util.settings")
        if hasattr(settings, "initialize_dummy_settings"):
            settings.initialize_dummy_settings()
