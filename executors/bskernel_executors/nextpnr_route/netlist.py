"""What routing must know of a netlist that Yosys wrote: its ports, and whether its cells fit a device. Pure."""

from __future__ import annotations

from collections import Counter

import msgspec

from bskernel_executors.lattice.cells import count_resources
from bskernel_executors.lattice.devices import LatticePart
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
        raise StepFailure(category="config", message=f"lattice_netlist is no netlist of Yosys: {error}") from error
    tops = [name for name, module in modules.items() if int(module.attributes.get("top", "0"), 2)]
    if len(tops) != 1:
        raise StepFailure(category="config", message=f"lattice_netlist has {len(tops)} top modules, not one")
    module = modules[tops[0]]
    return FlatNetlist(
        top=tops[0],
        pins=sum(len(port.bits) for port in module.ports.values()),
        cells=dict(Counter(cell.type for cell in module.cells.values())),
    )


_HINTS = {
    "LUT": 'multipliers = "dsp" or thresholds = "block" of yosys-synth save LUTs',
    "FF": "a smaller target_fps needs fewer",
    "DSP": 'multipliers = "lut" of yosys-synth needs none',
    "pins": "less parallelism of the first and the last layer makes their streams narrower",
}


def check_fit(netlist: FlatNetlist, part: LatticePart) -> None:
    """Raise StepFailure (resource), with each resource that is short, for a netlist that the part cannot hold."""
    there = part.device.resources | ({} if part.pins is None else {"pins": part.pins})
    needed = count_resources(part.family, netlist.cells) | {"pins": netlist.pins}
    short = [name for name, count in there.items() if needed[name] > count]
    if short:
        texts = ", ".join(f"{needed[name]:,} {name} of {there[name]:,}" for name in short)
        larger = "take a larger device, or " if part.family == "ecp5" else ""
        hint = _HINTS.get(short[0], "fewer weights, or weights of fewer bits, need fewer")
        raise StepFailure(
            category="resource",
            message=f"the design does not fit {part.device_name}: it needs {texts}",
            hint=f"{larger}fold more (a smaller target.target_fps); {hint}",
        )
