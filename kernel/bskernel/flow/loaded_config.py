"""A configuration with the folder that its paths are relative to, and the flow that it names. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel.config import Config, Flow
from bskernel.config.assignments import Key, is_given

_USUAL = frozenset({"build", "sweep"})  # files of this name do not tell one build from another


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration with the folder its paths are relative to and the flow it names."""

    config: Config
    path: Path
    flow: Flow
    place: Path | None = None  # the folder that relative paths start at, if it is not the file's own
    given: frozenset[Key] = frozenset()  # keys that the user set, by --set or the environment, not the file

    def is_given(self, *key: str) -> bool:
        """True when the user set this key, not the file."""
        return is_given(self.given, key)

    @property
    def folder(self) -> Path:
        """The folder that relative paths start at: that of build.toml."""
        return self.place or self.path.parent

    @property
    def name(self) -> str:
        """The build's name: build.name, or that of its file, or of the model for a build.toml or sweep.toml."""
        own = "" if self.path.stem in _USUAL else self.path.stem
        return self.config.build.name or own or Path(self.config.build.model).stem

    @property
    def model(self) -> Path:
        """The model's file."""
        return self.folder / self.config.build.model

    @property
    def output(self) -> Path:
        """The build directory; of one's config.json, that one."""
        if self.config.build.output is not None:
            return self.folder / self.config.build.output
        if self.path.suffix == ".json":
            return self.path.parent
        return self.folder / "build" / self.name
