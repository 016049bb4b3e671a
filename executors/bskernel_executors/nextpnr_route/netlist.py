"""What routing must know of a netlist that Yosys wrote: its ports, and whether its cells fit a device. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from bskernel_executors.lattice.devices import Ecp5Part
from bskernel_executors.sdk import StepFailure

MOST_FREE_PINS = 90  # the smallest package (TQFP144) has 98 pins for a design


class _Port(msgspec.Struct, frozen=True):
    bits: tuple[int | str, ...]


class _Cell(msgspec.Struct, frozen=True):
    type: str


class _Module(msgspec.Struct, frozen=True):
    attributes: dict[str, str]
    ports: dict[str, _Port]
    cells: dict[str, _Cell]


class _Netlist(msgspec.Struct, frozen=True):
    modules: dict[str, _Module]


class FlatNetlist(msgspec.Struct, frozen=True, kw_only=True):
    """The top module of a netlist: its name, pins and cells by kind."""

    top: str
    pins: int
    cells: dict[str, int]


def read_netlist(text: bytes) -> FlatNetlist:
    """Read the top module of a netlist. Raises StepFailure (config) for another text."""
    try:
        modules = msgspec.json.decode(text, type=_Netlist).modules
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StepFailure(category="config", message=f"ecp5_netlist is no netlist of Yosys: {error}") from error
    tops = [name for name, module in modules.items() if int(module.attributes.get("top", "0"), 2)]
    if len(tops) != 1:
        raise StepFailure(category="config", message=f"ecp5_netlist has {len(tops)} top modules, not one")
    module = modules[tops[0]]
    return FlatNetlist(
        top=tops[0],
        pins=sum(len(port.bits) for port in module.ports.values()),
        cells=dict(Counter(cell.type for cell in module.cells.values())),
    )


def check_fit(cells: Mapping[str, int], part: Ecp5Part) -> None:
    """Raise StepFailure (resource), with each resource that is short, for a netlist that the device cannot hold."""
    device = part.device
    luts = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)
    needed = (
        ("LUT", luts, device.LUT, 'multipliers = "dsp" or thresholds = "block" of yosys-synth save LUTs'),
        ("FF", cells.get("TRELLIS_FF", 0), device.LUT, "a smaller target_fps needs fewer"),
        ("DSP", cells.get("MULT18X18D", 0), device.DSP, 'multipliers = "lut" of yosys-synth needs none'),
        (
            "BRAM_18K",
            cells.get("DP16KD", 0) + cells.get("PDPW16KD", 0),
            device.BRAM,
            "fewer weights, or weights of fewer bits, need fewer",
        ),
    )
    short = [(name, need, there, hint) for name, need, there, hint in needed if need > there]
    if short:
        texts = ", ".join(f"{need:,} {name} of {there:,}" for name, need, there, _ in short)
        raise StepFailure(
            category="resource",
            message=f"the design does not fit {part.device_name}: it needs {texts}",
            hint=f"take a larger device, or fold more (a smaller target.target_fps); {short[0][3]}",
        )
