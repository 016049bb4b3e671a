"""Which build, and which of its steps, a command means: BUILD and STEP may both be left out."""

from __future__ import annotations

import os
from pathlib import Path

from bskernel.cli.output import print_note
from bskernel.core.errors import ConfigError


def or_found_build(given: Path | None) -> Path:
    """The build directory that was given, or that of the current folder, with a note which. Raises ConfigError."""
    if given is not None:
        return given
    from bskernel.workspace.project_folder import find_build

    found = find_build()
    print_note(f"build: {found}")
    return found


def build_and_step(first: Path | None, second: str | None) -> tuple[Path, str | None]:
    """BUILD and STEP from two arguments; one that is no path alone is a STEP of the current folder's build.

    Raises ConfigError.
    """
    if first is None:
        return or_found_build(None), None
    if second is not None or os.path.lexists(first) or len(first.parts) != 1:
        return first, second
    try:
        return or_found_build(None), str(first)
    except ConfigError:
        return first, None  # the message about a BUILD that is not there says more
