"""What a command works on when it names no file: the build.toml of the current folder, and the builds made there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from bskernel.config.reader import read_toml
from bskernel.core.errors import ConfigError
from bskernel.core.visible_text import visible_line
from bskernel.flow.loader import load_config
from bskernel.result.build_directory import FAILURE, RESULT
from bskernel.result.output_folder import MARK
from bskernel.workspace.output_place import place_output
from bskernel.workspace.trust import Trust

CONFIG = Path("build.toml")
SWEEP_CONFIG = Path("sweep.toml")
_OUTPUTS = Path("build")
_SWEEP_RESULT = "sweep.json"
_SHOWN = 5  # files that a message lists


def find_config(*preferred: Path) -> Path:
    """The first of these files that is in the current folder, or else build.toml.

    Raises ConfigError with the files that are there.
    """
    for path in (*preferred, CONFIG):
        if os.path.lexists(path):
            return path
    names = " and no ".join(str(path) for path in (*preferred, CONFIG))
    raise ConfigError(f"no {names} in {Path.cwd()}", hint=_other_files())


def find_build(config: Path | None = None) -> Path:
    """The build directory of a configuration, by default of build.toml, or else the only one in build/.

    Raises ConfigError with the builds that are there.
    """
    configs = (CONFIG,) if config is None else (config,)
    return _find_output((RESULT, FAILURE, "steps"), suffix="", what="build", command="run", configs=configs)


def find_sweep(config: Path | None = None) -> Path:
    """The output directory of a configuration's sweep, by default of sweep.toml or build.toml, or else the only one.

    Raises ConfigError with the sweeps that are there.
    """
    found = (_SWEEP_RESULT, "points")
    configs = (SWEEP_CONFIG, CONFIG) if config is None else (config,)
    return _find_output(found, suffix="-sweep", what="sweep", command="sweep", configs=configs)


def find_running_output() -> Path:
    """The output directory of the current folder that a build or sweep writes to now.

    Raises ConfigError with the builds that are there.
    """
    from bskernel.result.running_build import RunningBuild

    others = list_outputs()
    found = [path for path in others if RunningBuild.find(path) is not None]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError("several builds run here", hint=f"name one of them: {_listed(map(str, found))}")
    hint = f"name the directory of one that runs; here are: {_listed(map(str, others))}" if others else None
    raise ConfigError(f"no build runs in {Path.cwd() / _OUTPUTS}", hint=hint or "start one with `bskernel run`")


def list_outputs(folder: Path = _OUTPUTS) -> list[Path]:
    """The output directories of builds and sweeps in a folder, the newest first."""
    try:
        with os.scandir(folder) as scan:
            found = [folder / entry.name for entry in scan if (folder / entry.name / MARK).is_file()]
        return sorted(found, key=lambda path: -(path / MARK).stat().st_mtime)
    except OSError:
        return []


def _find_output(contents: Sequence[str], *, suffix: str, what: str, command: str, configs: Sequence[Path]) -> Path:
    def is_one(path: Path) -> bool:
        return any((path / name).exists() for name in contents)

    config = next((path for path in configs if path.is_file()), None)
    if config is not None:
        place = place_output(load_config(config), None, Trust(os.environ), suffix=suffix).path
        if is_one(place):
            return _relative(place)
    others = [path for path in list_outputs() if is_one(path)]
    if config is None and len(others) == 1:
        return others[0]
    missing = f"{config} has no {what} yet" if config is not None else f"no {CONFIG} in {Path.cwd()}"
    if not others:
        raise ConfigError(
            f"{missing}, and there is none in {_OUTPUTS}/" if config is None else missing,
            hint=f"make one with `bskernel {command}{f' {config}' if config is not None else ''}`, "
            f"or name a {what}'s directory",
        )
    raise ConfigError(missing, hint=f"name one of the {what}s here: {_listed(map(str, others))}")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _other_files() -> str:
    names = sorted(path.name for path in Path().iterdir())
    configs = [name for name in names if name.endswith(".toml") and _is_build(Path(name))]
    models = [name for name in names if name.endswith(".onnx")]
    if configs:
        return f"name the file to build; here are: {_listed(configs)}"
    if models:
        return f"write one with `bskernel init {models[0]}`, or name a configuration in another folder"
    return "change to your project's folder, name a configuration, or start one with `bskernel init MODEL`"


def _is_build(path: Path) -> bool:
    try:
        return path.is_file() and "build" in read_toml(path)
    except ConfigError:
        return True  # the message about what is wrong with it helps more than silence


def _listed(names: Iterable[str]) -> str:
    all_of = [visible_line(name) for name in names]
    more = f" and {len(all_of) - _SHOWN} more" if len(all_of) > _SHOWN else ""
    return ", ".join(all_of[:_SHOWN]) + more
