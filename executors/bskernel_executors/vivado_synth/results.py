"""Read a run's reports into synthesis.json or implementation.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bskernel_executors.exchange.synthesis import Implementation, TimedSynthesis
from bskernel_executors.vivado_reports import (
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


def label_tool(identity: str) -> tuple[str, bool]:
    """Return the tool's name for people, and whether it is the stand-in."""
    name = identity.rpartition(" ")[0]
    stand_in = _STAND_IN in name
    return (f"{name.replace('Vivado STAND-IN', 'STAND-IN for Vivado')}", stand_in)


def _is_same_device(device: str, part: str) -> bool:
    """Return whether a report's device is the part. Reports may drop "xc", dashes and the speed grade."""
    printed, asked = ("".join(filter(str.isalnum, text.lower())).removeprefix("xc") for text in (device, part))
    return printed.startswith(asked) or asked.startswith(printed) or printed[:6] == asked[:6]


def _read(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _count_layers(text: str, names: tuple[str, ...]) -> tuple[dict[str, dict[str, int]], tuple[str, ...]]:
    """Count each layer with its weight memory, by the names of instances in a design. Also return warnings."""
    hierarchy = read_hierarchy_xml(text)
    layers: dict[str, dict[str, int]] = {}
    for name in names:
        total: dict[str, int] = {}
        for instance in (f"{name}_i", f"{name}_memory"):
            for resource, count in hierarchy.resources_of(instance).items():
                total[resource] = total.get(resource, 0) + count
        if total:
            layers[name] = total
    return layers, hierarchy.warnings


def read_synthesis_run(
    folder: Path, *, identity: str, part: str, clock_ns: float, layers: tuple[str, ...], differences: tuple[str, ...]
) -> TimedSynthesis:
    """Read all reports of a synthesis in `folder`. A value that no report states is absent, with a warning."""
    reported = _read_run(folder, identity, part, layers)
    return TimedSynthesis(stage="synth", part=part, clock_ns=clock_ns, differences=differences, **reported)


def read_implementation_run(
    folder: Path, *, identity: str, part: str, clock_ns: float, layers: tuple[str, ...]
) -> Implementation:
    """Read all reports of an implementation in `folder`. A value that no report states is absent, with a warning."""
    return Implementation(stage="routed", part=part, clock_ns=clock_ns, **_read_run(folder, identity, part, layers))


def _read_run(folder: Path, identity: str, part: str, layers: tuple[str, ...]) -> dict[str, Any]:
    """Read what the reports of either run state, by field."""
    tool, stand_in = label_tool(identity)
    utilization: Utilization = read_utilization(_read(folder, UTILIZATION))
    timing, power = read_timing(_read(folder, TIMING)), read_power(_read(folder, POWER))
    counts, hierarchy_warnings = _count_layers(_read(folder, HIERARCHY), layers)
    qor = read_qor(text) if (text := _read(folder, QOR)) else None
    warnings = [
        *utilization.warnings,
        *hierarchy_warnings,
        *power.warnings,
        *(timing.warnings if timing is not None else ()),
    ]
    if timing is None:
        warnings.append("no timing summary was found in the report")
    stand_in = stand_in or utilization.header.stand_in
    if stand_in:
        warnings.insert(0, STAND_IN_WARNING)
    elif utilization.header.device is not None and not _is_same_device(utilization.header.device, part):
        warnings.append(f"the reports are of the device {utilization.header.device}, not of {part}")
    return {
        "tool": tool,
        "stand_in": stand_in,
        # BRAM counts tiles, which BRAM_36K and BRAM_18K count already.
        "design": {name: value for name, value in utilization.used.items() if name != "BRAM"},
        "available": utilization.available,
        "layers": counts,
        "wns_ns": timing.wns_ns if timing is not None else None,
        "whs_ns": timing.whs_ns if timing is not None else None,
        "failing_endpoints": timing.failing_endpoints if timing is not None else None,
        "endpoints": timing.endpoints if timing is not None else None,
        "met": timing.met if timing is not None else None,
        "fmax_mhz": timing.fmax_mhz if timing is not None else None,
        "power_w": power.total_w,
        "power_confidence": power.confidence,
        "tasks": qor.tasks if qor is not None else (),
        "warnings": tuple(warnings),
    }
