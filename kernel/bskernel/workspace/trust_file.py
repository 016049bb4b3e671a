"""The user's own files about trust, in the user's configuration folder and never in a project.

config.toml is written by the user: its table [trust] lists what needs no question.
trust.json is written by `bskernel trust`: what each project was allowed, with its digests.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bskernel.config.decoder import convert
from bskernel.config.reader import read_toml
from bskernel.core.errors import ConfigError
from bskernel.workspace.trust_request import TrustRequest

_CONFIG, _GRANTS = "config.toml", "trust.json"


class TrustSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [trust] of the user's configuration file."""

    projects: tuple[str, ...] = ()  # folders: every project in them is trusted
    tools: tuple[str, ...] = ()  # folders: any project may use the tools in them
    stores: tuple[str, ...] = ()  # shared stores that any project may name and write to

    def __post_init__(self) -> None:
        for name in ("projects", "tools"):
            for folder in getattr(self, name):
                if not folder.startswith(("/", "~/")):
                    raise ValueError(f"{name}: {folder!r} is not an absolute path")


class UserConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The user's configuration file."""

    trust: TrustSection = TrustSection()


class Grants(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each project was allowed, by its folder."""

    projects: dict[str, tuple[TrustRequest, ...]] = {}


def config_folder(environment: Mapping[str, str]) -> Path:
    """The user's configuration folder: $XDG_CONFIG_HOME/bskernel, or ~/.config/bskernel."""
    base = environment.get("XDG_CONFIG_HOME", "")
    # A relative path would be the current folder's, which may be a project's.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".config") / "bskernel"


def read_user_config(folder: Path) -> UserConfig:
    """The user's configuration; empty without a file. Raises ConfigError."""
    path = folder / _CONFIG
    sys.audit("bskernel.looked", str(path))
    if not path.exists():
        return UserConfig()
    _check_owner(path)
    return convert(read_toml(path), UserConfig, path)


def read_grants(folder: Path) -> Grants:
    """What projects were allowed; nothing without a file. Raises ConfigError."""
    path = folder / _GRANTS
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Grants()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    _check_owner(path)
    try:
        return msgspec.json.decode(data, type=Grants)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: damaged: {error}", hint="remove it, and trust your projects again with `bskernel trust`"
        ) from error


def write_grants(folder: Path, grants: Grants) -> Path:
    """Replace the file, readable by this user alone; returns its path. Raises ConfigError."""
    path = folder / _GRANTS
    temporary = folder / f".{_GRANTS}.{os.getpid():x}-{os.urandom(4).hex()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(msgspec.json.format(msgspec.json.encode(grants, order="sorted"), indent=2) + b"\n")
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _check_owner(path: Path) -> None:
    """Raise ConfigError for a file that somebody else could have written."""
    status = path.stat()
    if status.st_uid not in {os.geteuid(), 0} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"{path}: other users may write to it, so it decides nothing",
            hint=f"look at it, then: chmod go-w {path}",
        )
