"""What a backend is, and those that ship with bskernel: one TOML file each, beside this module."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from bskernel.config.decoder import convert

AUTO = "auto"


class BackendFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a backend's file."""

    order: int  # `auto` tries the lowest first
    summary: str
    executors: dict[str, str]  # executor -> the version that this backend is
    flows: dict[str, str] = {}  # a flow that may be asked for -> the flow that this backend runs for it
    needs: tuple[str, ...] = ()  # tools without which none of its flows can be run


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """A backend by its name."""

    name: str
    file: BackendFile


def load_backends() -> tuple[Backend, ...]:
    """All backends, in the order in which `auto` tries them."""
    found = []
    for path in (Path(__file__).parents[1] / "backends").glob("*.toml"):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append(Backend(name=path.stem, file=convert(data, BackendFile, f"backend {path.stem}")))
    return tuple(sorted(found, key=lambda backend: backend.file.order))
