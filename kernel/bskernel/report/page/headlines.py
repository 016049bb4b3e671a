"""The numbers of a build by quantity, the one nearest to the hardware first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bskernel.result.quantities import FoundQuantity, quantities_of, stage_rank

_ESTIMATE = "estimate"
_RESOURCES, _UTILIZATION, _RAW = "resources.", "utilization.", "raw."
_FIRST = ("throughput", "latency", "accuracy", "clock", "slack", "power", "fifo_memory")


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity: its value at the latest stage, all others, and how far the estimate was off."""

    name: str  # its path in metrics.json
    latest: FoundQuantity
    values: tuple[FoundQuantity, ...]  # all of them, from the earliest stage to the latest
    ratio: float | None = None  # latest / estimate; None where there is nothing to compare

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name.removeprefix(_RESOURCES).replace("_", " ") if self.is_count else self.name.replace("_", " ")

    @property
    def is_count(self) -> bool:
        """True for a resource of the device."""
        return self.name.startswith(_RESOURCES)


class DeviceShare(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the device's resource is used, as fractions by stage."""

    resource: str
    latest: FoundQuantity
    estimate: float | None = None
    total: int | None = None  # of the device


def find_headlines(metrics: Mapping[str, Any] | None) -> tuple[Headline, ...]:
    """All quantities but shares of the device: first those that every build is judged by, then the rest by name."""
    found: dict[str, list[FoundQuantity]] = {}
    for item in quantities_of(metrics):
        if not item.name.startswith((_UTILIZATION, _RAW)):
            found.setdefault(item.name, []).append(item)
    order = {name: at for at, name in enumerate(_FIRST)}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return tuple(_headline(name, found[name]) for name in names)


def _headline(name: str, values: list[FoundQuantity]) -> Headline:
    ordered = sorted(values, key=lambda item: stage_rank(item.stage))  # stable: the first of a stage stays first
    real = [item for item in ordered if not item.is_stand_in] or ordered
    latest = next(item for item in real if item.stage == real[-1].stage)
    estimate = next((item for item in real if item.stage == _ESTIMATE), None)
    comparable = (
        estimate is not None and latest.stage != _ESTIMATE and estimate.value and estimate.unit == latest.unit
    )
    ratio = latest.value / estimate.value if comparable and estimate is not None else None
    return Headline(name=name, latest=latest, values=tuple(ordered), ratio=ratio)


def find_utilization(metrics: Mapping[str, Any] | None) -> tuple[DeviceShare, ...]:
    """The shares of the device, as the latest stage states them, beside the estimate."""
    found: dict[str, list[FoundQuantity]] = {}
    for item in quantities_of(metrics):
        if item.name.startswith(_UTILIZATION):
            found.setdefault(item.name, []).append(item)
    device = (metrics or {}).get("device")
    totals = device if isinstance(device, Mapping) else {}
    bars = []
    for name, values in found.items():
        line, resource = _headline(name, values), name.removeprefix(_UTILIZATION)
        total = totals.get(resource, totals.get(f"{resource}_36K"))
        estimate = next((item.value for item in line.values if item.stage == _ESTIMATE), None)
        bars.append(
            DeviceShare(
                resource=resource,
                latest=line.latest,
                estimate=estimate if line.latest.stage != _ESTIMATE else None,
                total=total if isinstance(total, int) else None,
            )
        )
    return tuple(bars)
