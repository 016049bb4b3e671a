"""Which tools steps may need, and what an install of each looks like: the table tools.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec


class KnownTool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an install of a tool looks like."""

    programs: tuple[str, ...]  # below its root; one of them is there
    folders: tuple[str, ...]
    listed: tuple[str, ...]
    read: tuple[str, ...]
    variable: str  # tells a step's program where it lies
    beside: tuple[str, ...] = ()
    licence: bool = False
    environment: dict[str, str] = {}


@cache
def known_tools() -> dict[str, KnownTool]:
    """By our name for each."""
    text = Path(__file__).with_name("tools.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, KnownTool])
