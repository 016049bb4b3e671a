"""What a sweep comes to: one row for each of its points."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from bskernel.comparison.quantities import Found

PointStatus: TypeAlias = Literal["ok", "stopped", "failed", "interrupted"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One point and what became of it."""

    name: str  # the digest of its settings, shortened: the same whatever other points there are
    settings: dict[str, Any]  # dotted key -> value, as the point sets it
    status: PointStatus
    reason: str | None = None  # of one that is not ok: the condition it breaks, or the first failure
    quantities: tuple[Found, ...] = ()  # every number that the build knows, the latest stage not alone
    directory: Path | None = None  # its build directory; None where none was written


class SweepTable(msgspec.Struct, frozen=True, kw_only=True):
    """All points, in the order in which the sweep names them."""

    name: str  # the build's
    keys: tuple[str, ...]  # every key that a point sets
    rows: tuple[Row, ...]
