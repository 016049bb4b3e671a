"""Limits of what is read of a step's directory."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from bskernel.core.errors import ConfigError

RESULT_LARGEST = 16 << 20  # bytes of result.msgpack
OWNER_LARGEST = 64 << 10  # bytes of a session's owner.json
SIZE_VARIABLE, COUNT_VARIABLE = "BSKERNEL_OUTPUT_GIB", "BSKERNEL_OUTPUT_FILES"


class TreeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one output, a file or a tree, may be. A user can raise size and count by environment variables."""

    largest: int = 64 << 30  # bytes of all files together; holes in files count
    holes: int = 4 << 30  # bytes of holes: where an artifact is laid out they become zeros on the disk
    files: int = 250_000  # files and folders
    depth: int = 64  # folders inside one another
    path: int = 1024  # bytes of a path inside the tree


def limits_from(environment: Mapping[str, str] = os.environ) -> TreeLimits:
    """The limits of this machine's user. Raises ConfigError for a variable that is no number above 0."""
    default = TreeLimits()
    gib = _positive(environment, SIZE_VARIABLE)
    files = _positive(environment, COUNT_VARIABLE)
    return TreeLimits(
        largest=default.largest if gib is None else gib << 30,
        holes=default.holes if gib is None else max(default.holes, gib << 26),
        files=default.files if files is None else files,
    )


def _positive(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0 and len(text) <= 9):
        raise ConfigError(f"{name} = {text[:40]!r} is no whole number above 0", hint=f"e.g. {name}=100")
    return int(text)
