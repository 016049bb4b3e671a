"""Metrics by which points are compared, and their numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from bskernel.core.errors import ConfigError
from bskernel.expr.parser import parse_quantity
from bskernel.result.comparison import ExpressionError
from bskernel.result.comparison.gate_names import QuantityNames
from bskernel.result.quantities import FoundQuantity, stage_rank
from bskernel.sweeps.analysis.table import Row

STAND_IN = "stand-in"  # prefix of a source whose numbers are from another design (set by the metrics executor)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity at one stage, to compare points by."""

    name: str  # the full name, as in metrics.json
    stage: str
    unit: str
    source: str | None = None  # None if the points share no source; then each point's first one counts

    def __str__(self) -> str:
        return f"{self.name}@{self.stage}"

    def of(self, row: Row) -> FoundQuantity | None:
        """The number at a point; None if missing."""
        here = [item for item in row.quantities if (item.name, item.stage) == (self.name, self.stage)]
        same = [item for item in here if item.source == self.source]
        found = next(iter(same or here), None)
        return found if found is not None and math.isfinite(found.value) else None


def names_in(rows: Iterable[Row]) -> QuantityNames:
    """The names of all quantities of these points."""
    return QuantityNames((item for row in rows for item in row.quantities), "no point")


def is_stand_in(found: FoundQuantity) -> bool:
    """True for a number from a stand-in for a tool."""
    return found.source.startswith(STAND_IN)


def shown(value: float) -> str:
    """A number for display: six digits, or all digits of a large integer part."""
    return f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:,.6g}"


def latest(row: Row) -> dict[str, FoundQuantity]:
    """Name -> quantity of a point at its latest stage, from the first source there."""
    return latest_of(row.quantities)


def latest_of(quantities: Iterable[FoundQuantity]) -> dict[str, FoundQuantity]:
    """Name -> quantity of a build at its latest stage, from the first source there."""
    newest: dict[str, FoundQuantity] = {}
    for item in quantities:
        before = newest.get(item.name)
        if before is None or stage_rank(item.stage) > stage_rank(before.stage):
            newest[item.name] = item
    return newest


def resolve(text: str, rows: Sequence[Row], names: QuantityNames, where: str) -> Metric:
    """Resolve NAME or NAME@STAGE to a metric for comparing these points.

    NAME is that of metrics.json or its last part. Points are comparable at one stage alone: without STAGE it is the
    one at which most points have the quantity, of equals the latest. `where` prefixes errors. Raises ConfigError
    with the choices.
    """
    try:
        wanted = parse_quantity(text)
        name = names.full_name(wanted)
    except ExpressionError as error:
        hint = f"quantities: {', '.join(names.names) or 'none: no point has metrics'}"
        raise ConfigError(f"{where} {text!r}: {error}", hint=hint) from error
    stage = wanted.stage or _common_stage(name, rows)
    found = [[item for item in row.quantities if (item.name, item.stage) == (name, stage)] for row in rows]
    units = sorted({item.unit for items in found for item in items})
    if len(units) > 1:
        raise ConfigError(f"{where} {text!r}: {name} is in {' at one point, in '.join(units)} at another")
    return Metric(name=name, stage=stage, unit=units[0] if units else "", source=_common_source(found))


def _common_stage(name: str, rows: Sequence[Row]) -> str:
    have = Counter(stage for row in rows for stage in {item.stage for item in row.quantities if item.name == name})
    return max(have, key=lambda stage: (have[stage], stage_rank(stage), stage), default="")


def _common_source(found: Sequence[Sequence[FoundQuantity]]) -> str | None:
    having = [items for items in found if items]
    sources = [{item.source for item in items} for items in having]
    shared = set.intersection(*sources) if sources else set()
    return next((item.source for item in having[0] if item.source in shared), None) if having else None
