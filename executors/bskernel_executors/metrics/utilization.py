"""Count resources as devices do, with block RAM in tiles, and as fractions of the device."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bskernel_executors.devices.resources import Device
from bskernel_executors.metrics.model import Stage, Value

DEVICE_RESOURCES = ("LUT", "FF", "BRAM", "URAM", "DSP")
# Block RAM in tiles of 36 Kb.
_TILES = {"BRAM_4K": 1 / 9, "BRAM_18K": 0.5, "BRAM_36K": 1.0}


def device_totals(device: Mapping[str, int]) -> dict[str, float]:
    """Return a device's totals by DEVICE_RESOURCES, with BRAM in tiles of 36 Kb."""
    return {name: int(total) if float(total).is_integer() else total for name, total in count_used(device).items()}


def count_used(counts: Mapping[str, float]) -> dict[str, float]:
    """Return counts by DEVICE_RESOURCES. A resource without a count is absent."""
    found = {name: counts[name] for name in DEVICE_RESOURCES if name in counts and name != "BRAM"}
    tiles = [counts[name] * size for name, size in _TILES.items() if name in counts]
    return found | ({"BRAM": sum(tiles)} if tiles else {})


def used_by_source(resources: Mapping[str, tuple[Value, ...]]) -> dict[tuple[Stage, str], dict[str, float]]:
    """Return the whole design's counts by stage and report. HLS is left out, because it counts only some layers."""
    counts: dict[tuple[Stage, str], dict[str, float]] = {}
    for name, values in resources.items():
        for value in values:
            if value.stage != "hls":
                counts.setdefault((value.stage, value.source), {})[name] = value.value
    return {key: count_used(row) for key, row in counts.items()}


def compute_utilization(resources: Mapping[str, tuple[Value, ...]], device: Device) -> dict[str, tuple[Value, ...]]:
    """Return fractions of the device by DEVICE_RESOURCES."""
    totals = device_totals(msgspec.to_builtins(device))
    found: dict[str, list[Value]] = {}
    for (stage, source), row in used_by_source(resources).items():
        for name, count in row.items():
            if totals[name]:
                value = Value(value=count / totals[name], unit="fraction", stage=stage, source=source)
                found.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in sorted(found.items())}
