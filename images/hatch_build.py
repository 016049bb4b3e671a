"""Writes the commit into the wheel, so that an installed bskernel can name it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[misc] # hatchling is installed where wheels are built, not here
    """Adds bskernel_recipes/COMMIT if the sources are a checkout and git is there."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Add the file."""
        root = Path(self.root)
        if not (root.parent / ".git").exists():
            return
        try:
            head = subprocess.run(
                ["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
            ).stdout.strip()
        except OSError:
            return
        if head:
            self._folder = tempfile.TemporaryDirectory()
            file = Path(self._folder.name) / "COMMIT"
            file.write_text(f"{head}\n", encoding="utf-8")
            build_data["force_include"][str(file)] = "bskernel_recipes/COMMIT"

    def finalize(self, *_: object) -> None:
        """Remove the file, which is in the wheel now."""
        if self._folder is not None:
            self._folder.cleanup()
