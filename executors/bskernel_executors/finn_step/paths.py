"""This machine's paths and their placeholders in artifacts, and the environment variables that FINN reads."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bskernel_executors.finn_step.settings import prepare_settings
from bskernel_executors.sdk import Step
from bskernel_executors.sdk.known_sources import find_package
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


@functools.cache
def finn_folders() -> Mapping[str, str]:
    """Folders of the package finn that its scripts ask for, by the variable that names them."""
    package = find_package("finn")
    if package is None:
        return {}
    folders = {variable: package / folder for variable, folder in _IN_FINN.items()}
    return {variable: str(folder) for variable, folder in folders.items() if folder.is_dir()}


def set_environment(step: Step[Any], state: Path) -> None:
    """Set the variables that FINN reads, and its settings."""
    os.environ["FINN_BUILD_DIR"] = str(state)
    os.environ["NUM_DEFAULT_WORKERS"] = "1"
    # Steps without dependencies write scripts that name this path, too; a later step runs them and has dependencies.
    dependencies = step.work / "deps"
    given = step.input(DEPENDENCIES) if DEPENDENCIES in step.inputs else None
    if given is not None:
        dependencies.symlink_to(given, target_is_directory=True)
    os.environ["FINN_DEPS"] = str(dependencies)
    os.environ.update(finn_folders())
    prepare_settings()
