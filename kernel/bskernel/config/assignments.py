"""Keys of a build.toml set by `--set` and by a sweep's points. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bskernel.core.errors import ConfigError

_LONGEST = 200  # characters of an assignment in a message
_DEEPEST = 20  # parts of a dotted key
_PART = re.compile(r'(?:^|\.)(\s*"[^"]*"\s*|[^."]*)')


Key = tuple[str, ...]  # the parts of a dotted key


class ConfigText(msgspec.Struct, frozen=True, kw_only=True):
    """A build.toml as it was read, with `--set` applied, before anything is checked."""

    path: Path
    data: dict[str, Any]
    place: Path | None = None  # the folder that relative paths start at, if it is not the file's own
    given: frozenset[Key] = frozenset()  # keys that the user set, by --set or the environment, not the file


def is_given(given: Iterable[Key], key: Key) -> bool:
    """True when the user set this key, or a table that holds it."""
    return any(key[: len(parts)] == parts for parts in given)


def with_assignment(data: dict[str, Any], assignment: str) -> dict[str, Any]:
    """The table with `KEY=VALUE` of `--set` applied. Raises ConfigError."""
    _, separator, text = assignment.partition("=")
    shown = repr(assignment if len(assignment) <= _LONGEST else f"{assignment[:_LONGEST]}...")
    parts = assigned_key(assignment)
    if not separator or not all(parts):
        raise ConfigError(f"--set {shown}: write KEY=VALUE, e.g. --set target.target_fps=50000")
    try:
        value: Any = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--set {shown}: the value cannot be read: {error}") from error
    if len(parts) > _DEEPEST:
        raise ConfigError(f"--set {shown}: the key has more than {_DEEPEST} parts")
    return with_key(data, parts, value, f"--set {shown}")


def assigned_key(assignment: str) -> Key:
    """The key of a `KEY=VALUE`. As in TOML, a quoted part may contain dots, e.g. a version."""
    return tuple(part.strip().strip('"') for part in _PART.findall(assignment.partition("=")[0]))


def with_key(table: Mapping[str, Any], parts: Sequence[str], value: Any, where: str) -> dict[str, Any]:
    """The table with one key set, given by the parts of its dotted path. Missing inner tables are added.

    Raises ConfigError, prefixed by `where`, for a part that is not a table.
    """
    first, *rest = parts
    if not rest:
        return {**table, first: value}
    inner = table.get(first, {})
    if not isinstance(inner, dict):
        listed = "[[step]] lists steps: move them to a flow.toml to set one of them by name"
        hint = listed if first == "step" and isinstance(inner, list) else None
        raise ConfigError(f"{where}: {first!r} is not a table", hint=hint)
    return {**table, first: with_key(inner, rest, value, where)}


def with_jobs(assignments: Sequence[str], jobs: int | None) -> tuple[str, ...]:
    """The assignments, with `jobs` as one more if it is given."""
    return (*assignments, *([f"limits.jobs={jobs}"] if jobs is not None else []))
