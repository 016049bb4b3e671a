"""Every single fact of a metrics.json, with its path. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A value that holds no other: its path, as in TOML, and its JSON."""

    path: str
    text: str


def leaves_of(value: Any, path: str = "") -> Iterator[Leaf]:
    """All leaves, in the order of the document. An empty list or table is one."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            name = key if key.replace("_", "").replace("-", "").isalnum() else msgspec.json.encode(key).decode()
            yield from leaves_of(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple) and value:
        for at, inner in enumerate(value):
            yield from leaves_of(inner, f"{path}[{at}]")
    else:
        yield Leaf(path=path, text=value if isinstance(value, str) else msgspec.json.encode(value).decode())
