"""Reads the data files of this folder, and FINN's build configurations."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from bskernel.blueprint.reader import load_yaml
from bskernel.config.reader import read_text
from bskernel.config.value_check import check_values
from bskernel.core.errors import ConfigError
from bskernel.scaffold.boards import Families
from bskernel.scaffold.finn_fields import FinnFields

_HERE = Path(__file__).parent
_PYTHON = "write its DataflowBuildConfig to a file: pathlib.Path('build_config.json').write_text(cfg.to_json())"


@functools.cache
def board_families() -> Families:
    """The families of boards."""
    return msgspec.convert(tomllib.loads(_read("boards.toml")), Families)


@functools.cache
def finn_fields() -> FinnFields:
    """What becomes of the fields of FINN's build configuration."""
    return msgspec.convert(tomllib.loads(_read("finn_fields.toml")), FinnFields)


def ci_template(name: str) -> str:
    """The CI file of that name."""
    return _read(f"ci/{name}.yml")


def _read(name: str) -> str:
    return read_text(_HERE / name)


def read_finn_config(path: Path) -> dict[str, Any]:
    """FINN's build configuration in JSON or YAML. Raises ConfigError; EnvironmentLacking without PyYAML."""
    if path.suffix.lower() == ".py":
        raise ConfigError(f"{path} is a Python script; only JSON and YAML can be imported", hint=_PYTHON)
    if path.suffix.lower() != ".json":
        return load_yaml(path, "FINN's build configuration")
    text = read_text(path)
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: FINN's build configuration is an object, not a {type(data).__name__}")
    if wrong := check_values(data, path):
        raise wrong
    return data
