"""An installed tool that a step is given: too large to lock, so it is identified by what it is."""

from __future__ import annotations

from pathlib import Path

import msgspec


class ToolInstall(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One version of one tool on this machine."""

    tool: str  # our name for it, such as "vivado"
    product: str  # what it calls itself, such as "Vivado"
    version: str
    build: str
    fingerprint: str  # of its files, not of where it lies
    root: Path  # not part of its identity
    beside: tuple[Path, ...] = ()  # folders outside `root` that it reads

    @property
    def identity(self) -> str:
        """What enters the cache key and the manifest: the same for two installs that are alike, wherever they lie."""
        return f"{self.product} {self.version} build {self.build} {self.fingerprint}"

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.product} {self.version} (build {self.build})"
