"""What a sweep comes to: one row for each of its points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import msgspec

from bskernel.result.quantities import FoundQuantity

PointStatus: TypeAlias = Literal["ok", "stopped", "failed", "interrupted"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One point and what became of it."""

    name: str  # the digest of its settings, shortened: the same whatever other points there are
    settings: dict[str, Any]  # dotted key -> value, as the point sets it
    status: PointStatus
    reason: str | None = None  # of one that is not ok: the condition it breaks, or the first failure
    quantities: tuple[FoundQuantity, ...] = ()  # every number that the build knows, the latest stage not alone
    directory: Path | None = None  # its build directory; None where none was written


class SweepTable(msgspec.Struct, frozen=True, kw_only=True):
    """All points, in the order in which the sweep names them."""

    name: str  # the build's
    keys: tuple[str, ...]  # every key that a point sets
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, name: str, rows: Iterable[Row]) -> Self:
        """With the keys of these points."""
        rows = tuple(rows)
        return cls(name=name, keys=tuple(dict.fromkeys(key for row in rows for key in row.settings)), rows=rows)


def value_text(value: Any) -> str:
    """A value that a point sets: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def settings_text(settings: Mapping[str, Any]) -> str:
    """What a point sets, in one line."""
    return ", ".join(f"{key} = {value_text(value)}" for key, value in settings.items()) or "as the file is"


def counted(number: int, what: str = "point") -> str:
    """As 1 point, 2 points."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
