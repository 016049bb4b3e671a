"""From a run's reports to synthesis.json and implementation.json."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from bskernel_executors.vivado_reports import (
    QorTask,
    Utilization,
    read_hierarchy_xml,
    read_power,
    read_qor,
    read_timing,
    read_utilization,
)
from bskernel_executors.vivado_synth.script import HIERARCHY, POWER, QOR, TIMING, UTILIZATION

STAND_IN_WARNING = "from the stand-in for Vivado: numbers recorded from another design, not a result"
_STAND_IN = "STAND-IN"


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Vivado says: counts of the design and its layers, slacks in ns, power in W. What it does not is absent."""

    tool: str
    stage: Literal["synth", "routed"]
    part: str
    clock_ns: float
    stand_in: bool = False
    design: dict[str, float] = {}
    available: dict[str, int] = {}
    layers: dict[str, dict[str, int]] = {}
    wns_ns: float | None = None
    whs_ns: float | None = None
    failing_endpoints: int | None = None
    endpoints: int | None = None
    met: bool | None = None
    fmax_mhz: float | None = None
    power_w: float | None = None
    power_confidence: str | None = None
    tasks: tuple[QorTask, ...] = ()
    differences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def tool_label(identity: str) -> tuple[str, bool]:
    """For people, and whether it is the stand-in."""
    name = identity.rpartition(" ")[0]
    stand_in = _STAND_IN in name
    return (f"{name.replace('Vivado STAND-IN', 'STAND-IN for Vivado')}", stand_in)


def _is_of(device: str, part: str) -> bool:
    """Is a device, as reports print it, the part; with or without its "xc" and its dashes, without its grade."""
    told, asked = ("".join(filter(str.isalnum, text.lower())).removeprefix("xc") for text in (device, part))
    return told.startswith(asked) or asked.startswith(told) or told[:6] == asked[:6]


def _read(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _layers(text: str, names: tuple[str, ...]) -> tuple[dict[str, dict[str, int]], tuple[str, ...]]:
    """Counts of each layer with its weight memory, by the instances' names in a stitched design."""
    hierarchy = read_hierarchy_xml(text)
    layers: dict[str, dict[str, int]] = {}
    for name in names:
        total: dict[str, int] = {}
        for instance in (f"{name}_i", f"{name}_memory"):
            for resource, count in hierarchy.of(instance).items():
                total[resource] = total.get(resource, 0) + count
        if total:
            layers[name] = total
    return layers, hierarchy.warnings


def read_result(
    folder: Path,
    *,
    identity: str,
    stage: Literal["synth", "routed"],
    part: str,
    clock_ns: float,
    layers: tuple[str, ...],
    differences: tuple[str, ...] = (),
) -> Result:
    """All reports of a run that lie in `folder`."""
    tool, stand_in = tool_label(identity)
    utilization: Utilization = read_utilization(_read(folder, UTILIZATION))
    timing, power = read_timing(_read(folder, TIMING)), read_power(_read(folder, POWER))
    counts, warnings = _layers(_read(folder, HIERARCHY), layers)
    qor = read_qor(text) if (text := _read(folder, QOR)) else None
    said = [*utilization.warnings, *warnings, *power.warnings, *(timing.warnings if timing is not None else ())]
    if timing is None:
        said.append("no timing summary was found in the report")
    stand_in = stand_in or utilization.header.stand_in
    if stand_in:
        said.insert(0, STAND_IN_WARNING)
    elif utilization.header.device is not None and not _is_of(utilization.header.device, part):
        said.append(f"the reports are of the device {utilization.header.device}, not of {part}")
    return Result(
        tool=tool,
        stage=stage,
        part=part,
        clock_ns=clock_ns,
        stand_in=stand_in,
        # BRAM counts tiles, which BRAM_36K and BRAM_18K count already.
        design={name: value for name, value in utilization.used.items() if name != "BRAM"},
        available=utilization.available,
        layers=counts,
        wns_ns=timing.wns_ns if timing is not None else None,
        whs_ns=timing.whs_ns if timing is not None else None,
        failing_endpoints=timing.failing_endpoints if timing is not None else None,
        endpoints=timing.endpoints if timing is not None else None,
        met=timing.met if timing is not None else None,
        fmax_mhz=timing.fmax_mhz if timing is not None else None,
        power_w=power.total_w,
        power_confidence=power.confidence,
        tasks=qor.tasks if qor is not None else (),
        differences=differences,
        warnings=tuple(said),
    )
