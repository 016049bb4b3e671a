"""Loads a configuration with the flow that it names or contains."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bskernel.config import Config, Flow
from bskernel.config.assignments import ConfigText
from bskernel.config.decoder import convert
from bskernel.config.reader import read_config, read_toml, restrict_store
from bskernel.core.errors import ConfigError
from bskernel.flow.edits import edit_flow, name_steps
from bskernel.flow.loaded_config import LoadedConfig

FLOWS = Path(__file__).parent / "definitions"
_MOST_EXTENDING = 50  # flows that extend one another


def flow_names() -> list[str]:
    """The names of the shipped flows."""
    return sorted(path.stem for path in FLOWS.glob("*.toml"))


def load_flow(config: Config, path: Path, place: Path | None = None) -> Flow:
    """The flow that the configuration names or contains, with the steps of the flows it extends.

    `place` is the folder that relative paths start at, if it is not that of `path`. Raises ConfigError with the
    choices.
    """
    if isinstance(config.step, tuple):
        if not config.step:
            raise ConfigError(f"{path}: [[step]] is an empty list")
        return Flow(step=config.step, summary=f"the steps of {path.name}")
    return _flow(config.build.flow, place or path.parent, f"{path}: build.flow", ())


@functools.cache
def _shipped(name: str) -> dict[str, Any]:
    return tomllib.loads((FLOWS / f"{name}.toml").read_text(encoding="utf-8"))


def shipped_flow(name: str) -> Flow:
    """A shipped flow, with the steps of the flows it extends."""
    return _flow(name, Path(), "bskernel", ())


def _flow(name: str, folder: Path, where: str, extending: tuple[str, ...]) -> Flow:
    if name.endswith(".toml"):
        file = folder / name
        known, data, place = str(file.resolve()), read_toml(file), str(file)
    elif name in flow_names():
        known, data, place = name, _shipped(name), f"flow {name}"
    else:
        raise ConfigError(
            f"{where}: unknown flow {name!r}",
            hint=f"flows: {', '.join(flow_names())}; or a path ending in .toml; or [[step]] tables",
        )
    if known in extending:
        raise ConfigError(f"{where}: {' extends '.join((*extending, known))}")
    if len(extending) >= _MOST_EXTENDING:
        raise ConfigError(f"{where}: more than {_MOST_EXTENDING} flows extend one another", hint="join some of them")
    flow = convert(data, Flow, place)
    if not flow.extends:
        return flow
    base = _flow(flow.extends, (folder / name).parent, f"{place}: extends", (*extending, known))
    steps = edit_flow(name_steps(base.step, place), flow.edit, f"{place}: edit")
    return Flow(
        step=tuple(msgspec.structs.replace(step.table, name=step.name) for step in steps),
        summary=flow.summary,
        versions={**base.versions, **flow.versions},
    )


def check_versions(flow: Flow, config: Config, path: Path) -> None:
    """Raise ConfigError when the build asks for an executor version that cannot run the flow."""
    for executor, versions in flow.versions.items():
        asked = config.executors.get(executor)
        if asked is not None and asked not in versions:
            raise ConfigError(
                f"{path}: flow {config.build.flow!r} does not run on {executor}@{asked}",
                hint=f"executors.{executor}: {', '.join(versions)}; or a flow of your own (docs/flows.md)",
            )


def load_config(path: Path, assignments: Sequence[str] = ()) -> LoadedConfig:
    """Read a build.toml, apply `--set` assignments, and check everything that needs no executor.

    A shared store named by the environment wins over the file, and an assignment over both. Raises ConfigError.
    """
    return check_config(read_config(path, assignments))


def check_config(text: ConfigText) -> LoadedConfig:
    """Check everything that needs no executor. Raises ConfigError."""
    path, data = text.path, text.data
    if "build" not in data:
        raise ConfigError(f"{path}: the [build] table is missing", hint='the minimum is: [build] model = "net.onnx"')
    config = convert(data, Config, path)
    config = msgspec.structs.replace(config, store=restrict_store(config.store, os.environ))
    flow = load_flow(config, path, text.place)
    loaded = LoadedConfig(config=config, path=path, flow=flow, place=text.place, given=text.given)
    try:
        is_folder, is_file, is_there = loaded.model.is_dir(), loaded.model.is_file(), loaded.model.exists()
    except OSError as error:
        raise ConfigError(f"{path}: build.model: {loaded.model}: {error.strerror}") from error
    if is_folder:
        raise ConfigError(f"{path}: build.model: {loaded.model} is a folder", hint="name the ONNX file in it")
    if not is_file:
        why = f"{loaded.model} is not a plain file" if is_there else f"no such file: {loaded.model}"
        raise ConfigError(f"{path}: build.model: {why}")
    return loaded
