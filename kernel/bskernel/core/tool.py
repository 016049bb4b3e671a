"""A tool of this machine. It is too large to lock, so its content identifies it."""

from __future__ import annotations

from pathlib import Path

import msgspec


class ToolInstall(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One version of one tool on this machine."""

    tool: str  # the name in build.toml, e.g. "vivado"
    product: str  # the name it reports, e.g. "Vivado"
    version: str
    build: str
    fingerprint: str  # of its files, not of its path
    root: Path  # not part of its identity
    beside: tuple[Path, ...] = ()  # folders outside `root` that it reads

    @property
    def identity(self) -> str:
        """Its part of the cache key and the manifest: equal for two equal installs, wherever they are."""
        return f"{self.product} {self.version} build {self.build} {self.fingerprint}"

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.product} {self.version} (build {self.build})"
