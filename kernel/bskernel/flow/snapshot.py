"""The resolved configuration for config.json, the same on every machine."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from bskernel.flow.loaded_config import LoadedConfig


def _portable(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _portable(item, folder) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_portable(item, folder) for item in value]
    if isinstance(value, str) and PurePosixPath(value).is_absolute():
        path = PurePosixPath(value)
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name
    return value


def snapshot_config(loaded: LoadedConfig) -> dict[str, Any]:
    """The configuration with defaults and `--set`, for config.json.

    A path is relative to build.toml's folder; of a path outside only the last part is kept: the steps' keys hold its
    content. The output folder, limits, cluster, store and sweep are left out.
    """
    config = _portable(msgspec.to_builtins(loaded.config), loaded.folder)
    config["build"].pop("output", None)
    config.pop("limits", None)
    config.pop("cluster", None)
    config.pop("store", None)
    config.pop("sweep", None)
    recorded: dict[str, Any] = config
    return recorded
