"""The keys in which two configurations, or the plain facts of two metrics.json, differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = str | bool | int | float


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """A key that differs. None means missing; no configuration has None as a value."""

    key: str  # dotted, as in TOML
    base: Any
    new: Any


def _named(items: list[Any]) -> Mapping[str, Any] | None:
    """A list of tables by name if all names are unique, else by position."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    names = [item.get("name") or item.get("entry") for item in items]
    if len(set(names)) == len(names) and all(isinstance(name, str) for name in names):
        return dict(zip(names, items, strict=True))
    return {str(index): item for index, item in enumerate(items)}


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        inner = value if isinstance(value, Mapping) else _named(value) if isinstance(value, list) else None
        if inner is not None:
            yield from _leaves(inner, (*path, name))
        elif value is not None:
            yield (*path, name), value


def _text(path: tuple[str, ...]) -> str:
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in path)


def compare_keys(base: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[KeyChange, ...]:
    """The keys that differ, in order; compares tables recursively, and lists of tables by name."""
    # By path, not by text: {"a.b": 1} differs from {"a": {"b": 1}}.
    before, after = dict(_leaves(base, ())), dict(_leaves(new, ()))
    return tuple(
        KeyChange(key=_text(path), base=before.get(path), new=after.get(path))
        for path in sorted(before.keys() | after.keys())
        # 1 == True == 1.0 in Python, but not in a configuration.
        if repr(before.get(path)) != repr(after.get(path))
    )


def _is_fact(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and (
            all(isinstance(item, _PLAIN) for item in value)
            or all(isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in value)
        )
    return isinstance(value, _PLAIN)


def facts_of(metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    """What stands at the top of metrics.json as a plain value, a list of such, or a list of things with names.

    Such as a bottleneck, warnings, layers.
    """
    return {name: value for name, value in (metrics or {}).items() if _is_fact(value)}
