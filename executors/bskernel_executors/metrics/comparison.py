"""A build's metrics against another's: by quantity and stage, with their ratio."""

from __future__ import annotations

import msgspec

from bskernel_executors.metrics.model import BuildMetrics, Value

QUANTITIES = ("throughput", "latency", "clock", "power", "accuracy", "slack", "fifo_memory")


class Compared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One quantity at one stage in both builds; what one of them does not have is absent."""

    quantity: str
    stage: str
    unit: str
    source: str | None = None  # where a stage has several, as assumed activities for power
    ours: float | None = None
    theirs: float | None = None
    ratio: float | None = None  # ours / theirs; absent where theirs is 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that either build knows, and what only one of them does."""

    values: tuple[Compared, ...]
    only_ours: tuple[str, ...]  # "quantity at stage"
    only_theirs: tuple[str, ...]


def _quantities(metrics: BuildMetrics) -> dict[str, tuple[Value, ...]]:
    return {name: getattr(metrics, name) for name in QUANTITIES} | dict(metrics.resources)


def _by_stage(values: tuple[Value, ...]) -> dict[tuple[str, str], list[Value]]:
    found: dict[tuple[str, str], list[Value]] = {}
    for value in values:
        found.setdefault((value.stage, value.unit), []).append(value)
    return found


def _pairs(ours: list[Value], theirs: list[Value]) -> dict[str | None, tuple[Value | None, Value | None]]:
    """Values of one stage side by side: by their source where either build has several."""
    if len(ours) <= 1 and len(theirs) <= 1:
        return {None: (ours[0] if ours else None, theirs[0] if theirs else None)}
    left, right = ({value.source: value for value in values} for values in (ours, theirs))
    return {source: (left.get(source), right.get(source)) for source in [*left, *(right.keys() - left.keys())]}


def compare_metrics(ours: BuildMetrics, theirs: BuildMetrics) -> Comparison:
    """Compare two builds. A value in another unit is another quantity: the two are not set side by side."""
    left, right = _quantities(ours), _quantities(theirs)
    values: list[Compared] = []
    for quantity in [*left, *sorted(right.keys() - left.keys())]:
        mine, other = _by_stage(left.get(quantity, ())), _by_stage(right.get(quantity, ()))
        for stage, unit in [*mine, *sorted(other.keys() - mine.keys())]:
            pairs = _pairs(mine.get((stage, unit), []), other.get((stage, unit), []))
            values += [_compared(quantity, stage, unit, source, *pairs[source]) for source in sorted(pairs, key=str)]
    return Comparison(
        values=tuple(values),
        only_ours=tuple(_label(value) for value in values if value.theirs is None),
        only_theirs=tuple(_label(value) for value in values if value.ours is None),
    )


def _compared(
    quantity: str, stage: str, unit: str, source: str | None, ours: Value | None, theirs: Value | None
) -> Compared:
    both = ours is not None and theirs is not None and theirs.value != 0
    return Compared(
        quantity=quantity,
        stage=stage,
        unit=unit,
        source=source,
        ours=ours.value if ours else None,
        theirs=theirs.value if theirs else None,
        ratio=ours.value / theirs.value if both and ours and theirs else None,
    )


def _label(value: Compared) -> str:
    return f"{value.quantity} at {value.stage}" + (f" ({value.source})" if value.source else "")
