"""Reads build.toml and the environment variables BSKERNEL_STORE, and those that begin with BSKERNEL_STORE_."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from bskernel.config import Config, StoreMode, StoreSection
from bskernel.config.assignments import ConfigText, Key, assigned_key, with_assignment
from bskernel.core.errors import ConfigError

_LARGEST = 16 << 20  # bytes of a file that people write
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
WRITER = ".config"  # in an output folder: the path of its configuration, relative, so that both can be moved
INPUTS = "inputs"  # in a build directory: copies of what the build was given
UP = "_"  # in it: a folder that stands for one between the configuration and a file above it
URL, MODE = "BSKERNEL_STORE", "BSKERNEL_STORE_MODE"
SIGNED_BY, SIGN_WITH = "BSKERNEL_STORE_SIGNED_BY", "BSKERNEL_STORE_SIGN_WITH"
NONE = "none"  # the value of BSKERNEL_STORE for: no shared store


def read_config(path: Path, assignments: Sequence[str] = ()) -> ConfigText:
    """Read a build.toml, or a build directory's config.json, and apply `--set` assignments. Raises ConfigError."""
    try:
        path = path.resolve()
    except (RuntimeError, ValueError) as error:  # a loop of links
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    of_build = path.suffix == ".json"
    data = override_store(read_json(path) if of_build else read_toml(path), os.environ)
    for assignment in assignments:
        data = with_assignment(data, assignment)
    given = {*_given_keys(os.environ), *map(assigned_key, assignments)}
    place = place_of_build(path.parent) if of_build else None
    return ConfigText(path=path, data=data, place=place, given=frozenset(given))


def place_of_build(build: Path) -> Path:
    """The folder that the paths in a build directory's config.json start at.

    It is the one in inputs/ if the build was made with its inputs, or else that of the build.toml it was made from.
    """
    place = build / INPUTS
    if place.is_dir():
        while (place / UP).is_dir():
            place /= UP
        return place
    try:
        writer = os.path.normpath(build / (build / WRITER).read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return build
    above = Path(writer).parent
    return above if above.is_dir() else build


def read_json(path: Path) -> dict[str, Any]:
    """The config.json of a build directory as a dict. Raises ConfigError when it is unreadable or not JSON."""
    try:
        return msgspec.json.decode(read_bytes(path, most=_LARGEST), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: not valid JSON: {error}", hint="give a build.toml, or BUILD/config.json"
        ) from error


def config_schema() -> str:
    """The JSON Schema of build.toml, as text."""
    import json

    return json.dumps(msgspec.json.schema(Config), indent=2, sort_keys=True) + "\n"


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict. Raises ConfigError when it is unreadable or not TOML."""
    return parse_toml(read_text(path), path)


def parse_toml(text: str, path: Path | str) -> dict[str, Any]:
    """The text of a TOML file as a dict. Raises ConfigError, naming `path`, when it is not TOML."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {_printable(str(error))}") from error
    except ValueError as error:  # a number of thousands of digits, a date that no calendar has
        raise ConfigError(f"{path}: not valid TOML: {_printable(str(error))}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: tables and lists nest too deep") from error
    return data


def read_text(path: Path) -> str:
    """The text of a file that people write: UTF-8, with or without a mark in front. Raises ConfigError."""
    data = read_bytes(path, most=_LARGEST)
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        at = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}: line {at} is not UTF-8: byte 0x{data[error.start]:02x}", hint="save the file as UTF-8"
        ) from error


def read_bytes(path: Path, *, most: int) -> bytes:
    """The bytes of a file that the user names, at most `most`. Raises ConfigError, and does not wait for a FIFO."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from error
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        raise ConfigError(f"{path}: is {_KINDS.get(stat.S_IFMT(mode), 'special')}, not a file")
    with os.fdopen(file, "rb") as stream:
        try:
            data = stream.read(most + 1)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise ConfigError(f"{path}: is larger than {most >> 20} MiB")
    return data


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def override_store(data: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The data of a build.toml with [store] overridden by the environment.

    A URL of the environment drops the file's options: they belong to another store, and could redirect data meant for
    this one. Raises ConfigError for an unknown mode.
    """
    url, mode = environment.get(URL), _mode(environment)
    public, private = environment.get(SIGNED_BY), environment.get(SIGN_WITH)
    table = data.get("store", {})
    if not isinstance(table, dict) or not (url or mode or public or private):
        return data
    table = dict(table)
    if url == NONE:
        table = {}
    elif url:
        table["shared"] = url if "://" in url else _absolute(url)
        table.pop("options", None)
    if mode:
        table["mode"] = mode
    if public:
        table["signed_by"] = [_absolute(name) for name in public.split(os.pathsep) if name]
    if private:
        table["sign_with"] = _absolute(private)
    return {**data, "store": table}


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _given_keys(environment: Mapping[str, str]) -> set[Key]:
    """The keys that the environment overrides."""
    names = {URL: ("store", "shared"), MODE: ("store", "mode")}
    names |= {SIGNED_BY: ("store", "signed_by"), SIGN_WITH: ("store", "sign_with")}
    return {key for variable, key in names.items() if environment.get(variable)}


def restrict_store(section: StoreSection, environment: Mapping[str, str]) -> StoreSection:
    """The section; read-only if the environment says so, whatever else is set."""
    return msgspec.structs.replace(section, mode="read-only") if _mode(environment) == "read-only" else section


def _mode(environment: Mapping[str, str]) -> str | None:
    mode = environment.get(MODE)
    if mode and mode not in get_args(StoreMode):
        raise ConfigError(f"{MODE}={mode}: unknown mode", hint=f"modes: {', '.join(get_args(StoreMode))}")
    return mode or None
