"""A configuration with the folder that its paths are relative to, and the flow that it names. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel.config import Config, Flow


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration with the folder its paths are relative to and the flow it names."""

    config: Config
    path: Path
    flow: Flow

    @property
    def folder(self) -> Path:
        """The folder of build.toml."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The build's name."""
        return self.config.build.name or Path(self.config.build.model).stem

    @property
    def model(self) -> Path:
        """The model's file."""
        return self.folder / self.config.build.model

    @property
    def output(self) -> Path:
        """The build directory."""
        if self.config.build.output is not None:
            return self.folder / self.config.build.output
        return self.folder / "build" / self.name
