"""Reads and writes build.lock."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import pretty_json

from bskernel.config.reader import read_bytes
from bskernel.core.errors import ConfigError
from bskernel.lock.build_lock import LOCK_FORMAT, BuildLock

LOCK = "build.lock"
_LARGEST = 64 << 20  # bytes


class _Format(msgspec.Struct, frozen=True, kw_only=True):
    format: int


def lock_text(lock: BuildLock) -> str:
    """The text of build.lock: the same for equal locks, on every machine."""
    return pretty_json(lock)


def lock_beside(config: Path) -> Path:
    """The lock of a configuration: build.lock beside build.toml and config.json, NAME.lock beside NAME.toml."""
    return config.with_name(LOCK) if config.suffix == ".json" else config.with_suffix(".lock")


def read_lock(path: Path) -> BuildLock:
    """Read a lock. Raises ConfigError that names the file and what is wrong."""
    hint = "write it with `bskernel lock`"
    if not path.exists():
        raise ConfigError(f"{path}: no such file", hint=hint)
    data = read_bytes(path, most=_LARGEST)
    try:
        found = msgspec.json.decode(data, type=_Format).format
        if found == LOCK_FORMAT:
            return msgspec.json.decode(data, type=BuildLock)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a lock of a build: {error}", hint=hint) from error
    raise ConfigError(
        f"{path}: format {found}; this version of bskernel reads format {LOCK_FORMAT}",
        hint="write it again: bskernel lock",
    )
