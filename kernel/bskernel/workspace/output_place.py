"""Where a build or a sweep writes to, and who said so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from bskernel.core.errors import ConfigError
from bskernel.core.visible_text import visible_name
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
    place = _place(loaded, output, trust, suffix)
    for path, what in ((loaded.path, "configuration"), (place.path, "output folder")):
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError as error:
            hint = "rename the folder, or build into another one with --output"
            message = f"{visible_name(str(path))}: the path of the {what} is not UTF-8, so result.json cannot name it"
            raise ConfigError(message, hint=hint) from error
    return place


def _place(loaded: LoadedConfig, output: Path | None, trust: Trust, suffix: str) -> OutputPlace:
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
