"""This machine's paths and their placeholders in artifacts, and the environment variables that FINN reads."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import Step
from bskernel_executors.sdk.relocation import Moves

DEPENDENCIES = "deps"  # name of the input with what FINN+ downloads when it is set up
WORK = "/@bskernel-finn@"  # stands for the scratch folder of a step
_LIBRARY, _HOME = "/@bskernel-library@", "/@bskernel-home@"
_TOOLS = {"XILINX_VIVADO": "/@bskernel-vivado@", "XILINX_HLS": "/@bskernel-hls@"}
# FINN's command line sets these to folders of the package finn; its Tcl scripts read them.
_IN_FINN = {"FINN_RTLLIB": "finn-rtllib", "FINN_CUSTOM_HLS": "custom_hls"}


def find_places(step: Step[Any]) -> Moves:
    """Return pairs of path and placeholder, for scratch folder, libraries, tools and the session's own folder."""
    # FINN's scripts return to the working directory of its process.
    found = [(str(step.work), WORK), (sys.prefix, _LIBRARY), (str(Path.cwd()), _HOME)]
    found += [(os.environ.get(variable, ""), token) for variable, token in _TOOLS.items()]
    return [(here, token) for here, token in found if len(here) > len("/")]


def set_environment(step: Step[Any], state: Path) -> None:
    """Set the variables that FINN reads, and its settings. 1.4.0 has no settings and only reads the variables."""
    os.environ["FINN_BUILD_DIR"] = str(state)
    os.environ["NUM_DEFAULT_WORKERS"] = "1"
    # Steps without dependencies write scripts that name this path, too; a later step runs them and has dependencies.
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
