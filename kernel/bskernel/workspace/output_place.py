"""Where a build or a sweep writes to, and who said so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from bskernel.flow.loaded_config import LoadedConfig
from bskernel.workspace.trust import Trust
from bskernel.workspace.trust_request import output_request


class OutputPlace(NamedTuple):
    """An output folder; `below` is the project's folder if the project chose a folder in it."""

    path: Path
    below: Path | None = None


def place_output(loaded: LoadedConfig, output: Path | None, trust: Trust, *, suffix: str = "") -> OutputPlace:
    """The output folder: `output` if the user gave it, or the configuration's, with a suffix.

    A folder outside the project's needs trust. Raises NotTrusted, ConfigError.
    """
    if output is not None:
        return OutputPlace(output.resolve())
    chosen = Path(os.path.normpath(loaded.output))
    chosen = chosen.with_name(f"{chosen.name}{suffix}")
    if loaded.is_given("build", "output"):
        return OutputPlace(chosen.resolve())
    if chosen == loaded.path.parent:  # of a build directory's own config.json
        return OutputPlace(chosen.resolve())
    # By its name alone: a link in the project must not lead out of it.
    if chosen.is_relative_to(loaded.folder):
        return OutputPlace(chosen, loaded.folder)
    trust.require(loaded.path, [output_request(loaded, chosen.resolve())])
    return OutputPlace(chosen.resolve())
