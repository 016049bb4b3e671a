"""Which build, and which of its steps, a command means: BUILD and STEP may both be left out."""

from __future__ import annotations

import os
from pathlib import Path

from bskernel.cli.output import print_note
from bskernel.core.errors import ConfigError


def or_found_build(given: Path | None) -> Path:
    """The build directory that was given, or that of the given configuration or else of the current folder's.

    Notes which, unless it was given. Raises ConfigError.
    """
    if given is not None and not is_configuration(given):
        return given
    from bskernel.workspace.project_folder import find_build

    found = find_build(given)
    print_note(f"build: {found}")
    return found


def is_configuration(given: Path) -> bool:
    """True for a build.toml that stands where a build directory is asked for."""
    return given.suffix == ".toml" and given.is_file()


def build_and_step(first: Path | None, second: str | None) -> tuple[Path, str | None]:
    """BUILD and STEP from two arguments; one that is no path alone is a STEP of the current folder's build.

    Raises ConfigError.
    """
    if first is None:
        return or_found_build(None), None
    if second is not None or os.path.lexists(first) or len(first.parts) != 1:
        return or_found_build(first), second
    try:
        return or_found_build(None), str(first)
    except ConfigError:
        return first, None  # the message about a BUILD that is not there says more
