"""The tools that steps may need, and how to recognise an install of each: the table tools.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec


class KnownTool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to recognise and use an install of a tool."""

    programs: tuple[str, ...]  # paths below the root; at least one exists
    folders: tuple[str, ...]
    listed: tuple[str, ...]
    read: tuple[str, ...]
    variable: str  # the environment variable with its path
    beside: tuple[str, ...] = ()
    licence: bool = False
    environment: dict[str, str] = {}


@cache
def known_tools() -> dict[str, KnownTool]:
    """The known tools by their name in build.toml."""
    text = Path(__file__).with_name("tools.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, KnownTool])
