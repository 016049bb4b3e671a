"""Compute how much of the device a design and its layers use, and what is left."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from bskernel_executors.metrics.model import BuildMetrics, Stage
from bskernel_executors.metrics.utilization import count_used, device_totals, used_by_source

# Sorted: a later stage is nearer to the device and more reliable.
_ORDER: tuple[Stage, ...] = ("estimate", "synth", "routed", "measured")


class ResourceUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One resource at one stage, as a count; BRAM in tiles of 36 Kb."""

    resource: str
    stage: Stage
    source: str
    used: float
    available: float | None = None  # in the whole device
    fraction: float | None = None  # absent if the device has none
    left: float | None = None  # negative if the device has too few
    fits: float | None = None  # available / used; absent if none is used


class LayerUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer's counts at one stage, and its shares of all layers' counts."""

    name: str
    stage: Stage
    used: dict[str, float]
    share: dict[str, float]


class Headroom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Use and headroom. `binding`, `copies` and `exceeding` refer to the stage nearest to the device."""

    limit: float  # the fraction of each resource that may be used
    device: dict[str, int] = {}
    resources: tuple[ResourceUse, ...] = ()
    layers: tuple[LayerUse, ...] = ()
    judged: str | None = None  # "stage: source"
    binding: str | None = None  # the resource that runs out first
    copies: int | None = None  # how many whole designs fit within the limit
    exceeding: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def use(self, resource: str) -> ResourceUse:
        """Return the use of a resource at the judged stage."""
        return next(
            use for use in self.resources if use.resource == resource and self.judged == f"{use.stage}: {use.source}"
        )

    def largest(self, resource: str, count: int = 5) -> tuple[LayerUse, ...]:
        """Return the layers that use most of a resource, by the latest counts."""
        taking = [layer for layer in self.layers if layer.used.get(resource)]
        latest = max((_ORDER.index(layer.stage) for layer in taking), default=0)
        known = [layer for layer in taking if _ORDER.index(layer.stage) == latest]
        return tuple(sorted(known, key=lambda layer: -layer.used[resource])[:count])


def _use(resource: str, stage: Stage, source: str, count: float, available: float | None) -> ResourceUse:
    return ResourceUse(
        resource=resource,
        stage=stage,
        source=source,
        used=count,
        available=available,
        fraction=count / available if available else None,
        left=None if available is None else available - count,
        fits=available / count if available is not None and count else None,
    )


def _layers(metrics: BuildMetrics) -> tuple[LayerUse, ...]:
    tables: tuple[tuple[Stage, dict[str, Mapping[str, float]]], ...] = (
        ("estimate", {layer.name: layer.resources for layer in metrics.layers}),
        ("synth", {layer.name: layer.synthesized for layer in metrics.layers}),
        ("routed", {layer.name: layer.routed for layer in metrics.layers}),
    )
    found = []
    for stage, table in tables:
        rows = {name: count_used(counts) for name, counts in table.items() if counts}
        totals: dict[str, float] = {}
        for row in rows.values():
            for resource, count in row.items():
                totals[resource] = totals.get(resource, 0) + count
        for name, row in rows.items():
            share = {resource: count / totals[resource] for resource, count in row.items() if totals[resource]}
            found.append(LayerUse(name=name, stage=stage, used=row, share=share))
    return tuple(found)


def find_headroom(metrics: BuildMetrics, limit: float = 1.0) -> Headroom:
    """Compute the headroom. `limit` is the fraction of each resource that may be used."""
    rows = used_by_source(
        {
            name: tuple(value for value in values if not value.is_stand_in)
            for name, values in metrics.resources.items()
        }
    )
    totals = device_totals(metrics.device)
    layers = _layers(metrics)
    uses = tuple(
        _use(resource, stage, source, count, totals.get(resource))
        for (stage, source), row in rows.items()
        for resource, count in row.items()
    )
    if not rows:
        return Headroom(limit=limit, device=metrics.device, layers=layers, warnings=("no report counts resources",))
    if not totals:
        warning = "the resources of the device are unknown, so there is no headroom: set target.part or target.board"
        return Headroom(limit=limit, resources=uses, layers=layers, warnings=(warning,))
    # Of several reports at the nearest stage, the last one also counts what surrounds the accelerator.
    nearest = max(range(len(rows)), key=lambda at: (_ORDER.index(list(rows)[at][0]), at))
    stage, source = list(rows)[nearest]
    judged = [use for use in uses if (use.stage, use.source) == (stage, source)]
    taken = [use for use in judged if use.fits is not None]
    binding = min(taken, key=lambda use: use.fits or 0.0, default=None)
    missing = sorted(totals.keys() - {use.resource for use in judged})
    return Headroom(
        limit=limit,
        device=metrics.device,
        resources=uses,
        layers=layers,
        judged=f"{stage}: {source}",
        binding=binding.resource if binding else None,
        # The small term corrects rounding: 0.8 * 5 / 4 is below 1 in floating point.
        copies=math.floor(limit * (binding.fits or 0.0) + 1e-9) if binding else None,
        exceeding=tuple(use.resource for use in taken if use.used > limit * (use.available or 0)),
        warnings=(f"{source} does not count {', '.join(missing)}, so their headroom is unknown",) if missing else (),
    )
