"""Resources as devices count them: block RAM in tiles, and each as a fraction of the device."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bskernel_executors.metrics.devices import Device
from bskernel_executors.metrics.model import Stage, Value

DEVICE_RESOURCES = ("LUT", "FF", "BRAM", "URAM", "DSP")
# Tiles of block RAM: two BRAM_18K to one.
_TILES = {"BRAM_18K": 0.5, "BRAM_36K": 1.0}


def device_totals(device: Mapping[str, int]) -> dict[str, int]:
    """A device's totals by the names of DEVICE_RESOURCES; BRAM in tiles of 36 Kb."""
    return {"BRAM" if name == "BRAM_36K" else name: total for name, total in device.items()}


def used(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts by the names of DEVICE_RESOURCES; what is not counted is absent."""
    found = {name: counts[name] for name in DEVICE_RESOURCES if name in counts and name != "BRAM"}
    tiles = [counts[name] * size for name, size in _TILES.items() if name in counts]
    return found | ({"BRAM": sum(tiles)} if tiles else {})


def used_by_source(resources: Mapping[str, tuple[Value, ...]]) -> dict[tuple[Stage, str], dict[str, float]]:
    """What the whole design uses, for each stage and report. HLS counts some layers only: left out."""
    counts: dict[tuple[Stage, str], dict[str, float]] = {}
    for name, values in resources.items():
        for value in values:
            if value.stage != "hls":
                counts.setdefault((value.stage, value.source), {})[name] = value.value
    return {key: used(row) for key, row in counts.items()}


def utilization(resources: Mapping[str, tuple[Value, ...]], device: Device) -> dict[str, tuple[Value, ...]]:
    """Fractions of the device, by the names of DEVICE_RESOURCES."""
    totals = device_totals(msgspec.to_builtins(device))
    found: dict[str, list[Value]] = {}
    for (stage, source), row in used_by_source(resources).items():
        for name, count in row.items():
            if totals[name]:
                value = Value(value=count / totals[name], unit="fraction", stage=stage, source=source)
                found.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in sorted(found.items())}
