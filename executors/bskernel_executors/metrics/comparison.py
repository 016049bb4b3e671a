"""Compare the metrics of two builds by quantity and stage."""

from __future__ import annotations

import msgspec

from bskernel_executors.metrics.model import BuildMetrics, Value

QUANTITIES = ("throughput", "latency", "clock", "power", "accuracy", "slack", "fifo_memory")


class ComparedQuantity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One quantity at one stage in both builds. A value that a build does not have is absent."""

    quantity: str
    stage: str
    unit: str
    source: str | None = None  # if a stage has several, e.g. power by assumed activity
    ours: float | None = None
    theirs: float | None = None
    ratio: float | None = None  # ours / theirs; absent if theirs is 0


class BuildComparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All quantities of two builds, and those that only one of them has."""

    values: tuple[ComparedQuantity, ...]
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
    """Pair the values of one stage: by source if either build has several."""
    if len(ours) <= 1 and len(theirs) <= 1:
        return {None: (ours[0] if ours else None, theirs[0] if theirs else None)}
    left, right = ({value.source: value for value in values} for values in (ours, theirs))
    return {source: (left.get(source), right.get(source)) for source in [*left, *(right.keys() - left.keys())]}


def compare_metrics(ours: BuildMetrics, theirs: BuildMetrics) -> BuildComparison:
    """Compare two builds. Values in different units are not paired."""
    left, right = _quantities(ours), _quantities(theirs)
    values: list[ComparedQuantity] = []
    for quantity in [*left, *sorted(right.keys() - left.keys())]:
        mine, other = _by_stage(left.get(quantity, ())), _by_stage(right.get(quantity, ()))
        for stage, unit in [*mine, *sorted(other.keys() - mine.keys())]:
            pairs = _pairs(mine.get((stage, unit), []), other.get((stage, unit), []))
            values += [_compared(quantity, stage, unit, source, *pairs[source]) for source in sorted(pairs, key=str)]
    return BuildComparison(
        values=tuple(values),
        only_ours=tuple(_label(value) for value in values if value.theirs is None),
        only_theirs=tuple(_label(value) for value in values if value.ours is None),
    )


def _compared(
    quantity: str, stage: str, unit: str, source: str | None, ours: Value | None, theirs: Value | None
) -> ComparedQuantity:
    both = ours is not None and theirs is not None and theirs.value != 0
    return ComparedQuantity(
        quantity=quantity,
        stage=stage,
        unit=unit,
        source=source,
        ours=ours.value if ours else None,
        theirs=theirs.value if theirs else None,
        ratio=ours.value / theirs.value if both and ours and theirs else None,
    )


def _label(value: ComparedQuantity) -> str:
    return f"{value.quantity} at {value.stage}" + (f" ({value.source})" if value.source else "")
