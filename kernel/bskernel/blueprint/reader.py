"""A blueprint file, its parents, environment variables and step operations, as one Blueprint."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bskernel.blueprint.fields import kernels_of
from bskernel.blueprint.model import Blueprint, Note, Steps
from bskernel.blueprint.steps import resolve_steps
from bskernel.config.decoder import convert
from bskernel.config.reader import read_text
from bskernel.config.value_check import check_values
from bskernel.core.errors import ConfigError, EnvironmentLacking

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_KEYS = {*Blueprint.__struct_fields__, "extends", "design_space"} - {"kernels", "steps"}


def load_yaml(path: Path, what: str = "a blueprint") -> dict[str, Any]:
    """A YAML file that holds a mapping, called `what`. Raises ConfigError; EnvironmentLacking without PyYAML."""
    try:
        import yaml
    except ImportError:
        raise EnvironmentLacking(
            f"{path} is YAML, and PyYAML is not installed", hint="install bskernel[blueprint]"
        ) from None
    try:
        data = yaml.safe_load(read_text(path))
    except RecursionError as error:
        raise ConfigError(f"{path}: mappings and lists nest too deep") from error
    except (yaml.YAMLError, ValueError) as error:  # e.g. a date that no calendar has
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: {what} is a mapping, not a {type(data).__name__}")
    if wrong := check_values(data, path):
        raise wrong
    return data


def _expand(value: Any, variables: Mapping[str, str]) -> Any:
    """Like Brainsmith: only ${NAME} is expanded, and unset variables stay as they are."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), value)
    if isinstance(value, dict):
        return {key: _expand(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, variables) for item in value]
    return value


def _merge(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    merged = dict(parent)
    for key, value in child.items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """A file with its parents merged into it."""

    data: dict[str, Any]
    steps: Steps
    notes: tuple[Note, ...]


def _read(path: Path, seen: tuple[Path, ...]) -> _File:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path}: extends itself: {' -> '.join(item.name for item in (*seen, path))}")
    data = load_yaml(path)
    variables = {**os.environ, "BLUEPRINT_DIR": str(path.parent)}
    space = data.get("design_space") or {}
    if not isinstance(space, dict) or space.keys() - {"kernels", "steps"}:
        raise ConfigError(f"{path}: design_space may contain only kernels and steps")
    parent = _File(data={}, steps=(), notes=())
    notes = []
    if "extends" in data:
        named = str(data.pop("extends"))
        place = _expand(named, variables)
        if unset := _VARIABLE.search(place):
            raise ConfigError(f"{path}: extends: the variable {unset[1]} is not set", hint=f"it is in {named!r}")
        parent = _read(path.parent / place, (*seen, path))
        why = "its parent's keys and steps are written out; they no longer follow the parent"
        notes.append(Note(kind="changed", where=f"{path.name}: extends", value=named, why=why))
    try:
        steps, idle = resolve_steps(space.get("steps") or [], parent.steps)
    except ValueError as error:
        raise ConfigError(f"{path}: design_space.steps: {error}") from error
    notes += [
        Note(
            kind="lost",
            where=f"{path.name}: design_space.steps",
            value=operation,
            why="no such step is there to change",
        )
        for operation in idle
    ]
    return _File(data=_merge(parent.data, data), steps=steps, notes=(*parent.notes, *notes))


def read_blueprint(path: Path) -> tuple[Blueprint, tuple[Note, ...]]:
    """Read a blueprint with its parents. Raises ConfigError that names file, key and choices."""
    file = _read(path, ())
    notes = list(file.notes)
    data = _expand(file.data, {**os.environ, "BLUEPRINT_DIR": str(path.resolve().parent)})
    space = data.pop("design_space", None) or {}
    for key in sorted(data.keys() - _KEYS):
        why = "Brainsmith ignores this key"
        if key not in {"version"}:
            why += f"; FINN's fields belong under finn_config: {', '.join(sorted(_KEYS))} are known here"
        notes.append(Note(kind="lost", where=str(key), value=data.pop(key), why=why))
    if data.get("clock_ns") is None:
        raise ConfigError(f"{path}: clock_ns is missing, here and in the files it extends")
    data = {key: value for key, value in data.items() if value is not None}
    data |= {"kernels": (), "steps": ()}
    if isinstance(data["clock_ns"], str):  # YAML takes 5e0 for a text
        with contextlib.suppress(ValueError):
            data["clock_ns"] = float(data["clock_ns"])
    blueprint = msgspec.structs.replace(
        convert(data, Blueprint, path),
        steps=file.steps,
        kernels=kernels_of(space.get("kernels"), f"{path}: design_space.kernels"),
    )
    return blueprint, tuple(notes)
