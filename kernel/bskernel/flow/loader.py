"""Loads a configuration with the flow that it names or contains."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bskernel.config import Config, Flow
from bskernel.config.assignments import ConfigText
from bskernel.config.decoder import convert
from bskernel.config.reader import parse_toml, read_config, read_text, restrict_store
from bskernel.core.errors import ConfigError
from bskernel.flow.edits import edit_flow, name_steps
from bskernel.flow.loaded_config import LoadedConfig

FLOWS = Path(__file__).parent / "definitions"
_MOST_EXTENDING = 50  # flows that extend one another


def flow_names() -> list[str]:
    """The names of the shipped flows."""
    return list(_shipped_names())


@functools.cache  # a sweep asks twice for each point that has a plan of its own
def _shipped_names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FLOWS.glob("*.toml")))


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
def _shipped(name: str) -> Flow:
    return convert(tomllib.loads((FLOWS / f"{name}.toml").read_text(encoding="utf-8")), Flow, f"flow {name}")


@functools.cache
def shipped_flow(name: str) -> Flow:
    """A shipped flow, with the steps of the flows it extends. Raises ConfigError with the choices."""
    return _joined(name, Path(), "bskernel", ())


@functools.lru_cache(maxsize=64)  # the points of a sweep name the same files
def _parsed(text: str, place: str) -> Flow:
    return convert(parse_toml(text, place), Flow, place)


def shipped_loops() -> dict[str, list[str]]:
    """The loops of each shipped flow that has some, but for flows of collections."""
    flows = {name: shipped_flow(name) for name in flow_names()}
    return {name: list(flow.loop) for name, flow in flows.items() if flow.loop and flow.collection is None}


def _flow(name: str, folder: Path, where: str, extending: tuple[str, ...]) -> Flow:
    if not extending and name in _shipped_names():
        return shipped_flow(name)
    return _joined(name, folder, where, extending)


def _joined(name: str, folder: Path, where: str, extending: tuple[str, ...]) -> Flow:
    if name.endswith(".toml"):
        file = folder / name
        place = str(file)
        flow = _parsed(read_text(file), place)
        if not flow.extends and not extending:
            return flow  # without asking where links lead
        known = str(file.resolve())
    elif name in _shipped_names():
        known, flow, place = name, _shipped(name), f"flow {name}"
    else:
        raise ConfigError(
            f"{where}: unknown flow {name!r}",
            hint=f"flows: {', '.join(flow_names())}; or a path ending in .toml; or [[step]] tables",
        )
    if known in extending:
        raise ConfigError(f"{where}: {' extends '.join((*extending, known))}")
    if len(extending) >= _MOST_EXTENDING:
        raise ConfigError(f"{where}: more than {_MOST_EXTENDING} flows extend one another", hint="join some of them")
    if not flow.extends:
        return flow
    base = _flow(flow.extends, (folder / name).parent, f"{place}: extends", (*extending, known))
    steps = edit_flow(name_steps(base.step, place), flow.edit, f"{place}: edit")
    return Flow(
        step=tuple(msgspec.structs.replace(step.table, name=step.name) for step in steps),
        summary=flow.summary,
        versions={**base.versions, **flow.versions},
        loop={**base.loop, **flow.loop},
        collection=flow.collection,
        calibration=flow.calibration or base.calibration,
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
        if loaded.model.is_file():
            return loaded
        is_folder, is_there = loaded.model.is_dir(), loaded.model.exists()
    except OSError as error:
        raise ConfigError(f"{path}: build.model: {loaded.model}: {error.strerror}") from error
    if is_folder:
        raise ConfigError(f"{path}: build.model: {loaded.model} is a folder", hint="name the ONNX file in it")
    why = f"{loaded.model} is not a plain file" if is_there else f"no such file: {loaded.model}"
    raise ConfigError(f"{path}: build.model: {why}")
