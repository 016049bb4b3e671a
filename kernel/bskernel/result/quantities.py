"""The quantities of a metrics.json, found by their form, and those of two builds compared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

# From the earliest to the latest; later stages are closer to the hardware.
STAGES = ("estimate", "hls", "rtlsim", "synth", "routed", "measured")
# Prefix of a source whose numbers are recorded from another design, for tests; they say nothing of hardware.
STAND_IN = "stand-in"


class FoundQuantity(msgspec.Struct, frozen=True, kw_only=True):
    """One number of one quantity of a build; `name` is its dotted path in metrics.json."""

    name: str
    value: float
    unit: str
    stage: str
    source: str

    @property
    def is_stand_in(self) -> bool:
        """True for a number from a stand-in for a tool."""
        return self.source.startswith(STAND_IN)


class QuantityComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity at one stage from one source in both builds. A missing number is None, never 0."""

    name: str
    unit: str  # of the new build; of the base if the new build has none
    stage: str
    source: str
    base: float | None
    new: float | None
    base_unit: str | None = None  # only if it differs; then there is no change to compute
    change: float | None = None  # new minus base, in the unit; None if undefined
    relative: float | None = None  # the change as a fraction of the base's magnitude; None if the base is 0

    @property
    def same(self) -> bool:
        """True when nothing changed."""
        return self.base == self.new and self.base_unit is None


def _compared(was: FoundQuantity | None, is_: FoundQuantity | None, either: FoundQuantity) -> QuantityComparison:
    base, new = was.value if was else None, is_.value if is_ else None
    base_unit = was.unit if was and was.unit != either.unit else None
    change = new - base if base is not None and new is not None and base_unit is None else None
    return QuantityComparison(
        name=either.name,
        unit=either.unit,
        stage=either.stage,
        source=either.source,
        base=base,
        new=new,
        base_unit=base_unit,
        change=change,
        relative=change / abs(base) if change is not None and base else None,
    )


def _is_quantity(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(
            isinstance(item, Mapping)
            and isinstance(item.get("value"), int | float)
            and not isinstance(item["value"], bool)
            and all(isinstance(item.get(key), str) for key in ("unit", "stage", "source"))
            for item in value
        )
    )


def _find(tree: Mapping[str, Any], prefix: str) -> Iterator[FoundQuantity]:
    for key, value in tree.items():
        if _is_quantity(value):
            for item in value:
                yield FoundQuantity(
                    name=f"{prefix}{key}",
                    value=item["value"],
                    unit=item["unit"],
                    stage=item["stage"],
                    source=item["source"],
                )
        elif isinstance(value, Mapping):
            yield from _find(value, f"{prefix}{key}.")


def quantities_of(metrics: Mapping[str, Any] | None) -> tuple[FoundQuantity, ...]:
    """All quantities: lists of {value, unit, stage, source}, at any depth."""
    return tuple(_find(metrics or {}, ""))


def stage_rank(stage: str) -> int:
    """The position in STAGES; -1 for an unknown stage."""
    return STAGES.index(stage) if stage in STAGES else -1


def _keyed(found: Sequence[FoundQuantity]) -> dict[tuple[str, str, str, int], FoundQuantity]:
    # A source may report a quantity more than once: the first is compared with the first.
    seen: Counter[tuple[str, str, str]] = Counter()
    keyed = {}
    for item in found:
        key = (item.name, item.stage, item.source)
        keyed[(*key, seen[key])] = item
        seen[key] += 1
    return keyed


def compare_quantities(base: Sequence[FoundQuantity], new: Sequence[FoundQuantity]) -> tuple[QuantityComparison, ...]:
    """Every quantity of either build, by name, then by stage."""
    before, after = _keyed(base), _keyed(new)
    keys = sorted(before.keys() | after.keys(), key=lambda key: (key[0], stage_rank(key[1]), *key[1:]))
    return tuple(_compared(before.get(key), after.get(key), after.get(key) or before[key]) for key in keys)
