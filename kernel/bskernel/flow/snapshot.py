"""The resolved configuration for config.json, the same on every machine."""

from __future__ import annotations

import functools
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from bskernel.config.schema import is_name
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.selection import RangeRequest


def portable(value: Any, folder: Path) -> Any:
    """The value with each absolute path in it relative to the folder; of a path outside only the last part."""
    if isinstance(value, dict):
        return {key: portable(item, folder) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [portable(item, folder) for item in value]
    return _portable_path(value, folder) if isinstance(value, str) and value.startswith("/") else value


@functools.lru_cache(maxsize=1000)
def _portable_path(text: str, folder: Path) -> str:
    path = PurePosixPath(text)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def snapshot_config(loaded: LoadedConfig) -> dict[str, Any]:
    """The configuration with defaults and `--set`, for config.json.

    A path is relative to build.toml's folder; of a path outside only the last part is kept: the steps' keys hold its
    content. The output folder, limits, cluster, store and sweep are left out.
    """
    config = portable(msgspec.to_builtins(loaded.config), loaded.folder)
    config["build"].pop("output", None)
    if is_name(loaded.name):  # config.json has another name than the file that gave the build its own
        config["build"]["name"] = loaded.name
    config.pop("limits", None)
    config.pop("cluster", None)
    config.pop("store", None)
    config.pop("sweep", None)
    recorded: dict[str, Any] = config
    return recorded


def with_range(loaded: LoadedConfig, range_request: RangeRequest) -> LoadedConfig:
    """The configuration that says by itself what the command asks for: the part of the flow to run."""
    flow = loaded.config.flow
    if range_request.first is not None or range_request.input_type is not None:
        flow = msgspec.structs.replace(flow, first=range_request.first, input_type=range_request.input_type)
    if range_request.last is not None or range_request.output_type is not None:
        flow = msgspec.structs.replace(flow, last=range_request.last, output_type=range_request.output_type)
    return msgspec.structs.replace(loaded, config=msgspec.structs.replace(loaded.config, flow=flow))
