"""The table of a sweep: one row per point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import msgspec

from bskernel.result.quantities import FoundQuantity

PointStatus: TypeAlias = Literal["ok", "stopped", "failed", "interrupted"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One point and how it ended."""

    name: str  # the shortened digest of its settings; does not depend on other points
    settings: dict[str, Any]  # dotted key -> value
    status: PointStatus
    reason: str | None = None  # if not ok: the violated requirement, or the first failure
    quantities: tuple[FoundQuantity, ...] = ()  # every number of the build, at all stages
    directory: Path | None = None  # its build directory; None if none was written


class SweepTable(msgspec.Struct, frozen=True, kw_only=True):
    """All points, in the order of the sweep."""

    name: str  # the build's name
    keys: tuple[str, ...]  # every key that any point sets
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, name: str, rows: Iterable[Row]) -> Self:
        """The table of these rows, with all their keys."""
        rows = tuple(rows)
        return cls(name=name, keys=tuple(dict.fromkeys(key for row in rows for key in row.settings)), rows=rows)


def is_number(value: object) -> bool:
    """True for a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: Any) -> str:
    """A value for display: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def settings_text(settings: Mapping[str, Any]) -> str:
    """The settings of a point in one line."""
    return ", ".join(f"{key} = {value_text(value)}" for key, value in settings.items()) or "no settings"


def counted(number: int, what: str = "point") -> str:
    """E.g. `1 point`, `2 points`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
