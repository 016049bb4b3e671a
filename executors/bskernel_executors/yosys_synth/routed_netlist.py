"""What nextpnr-ecp5 writes of a routed design (--write), as a structural Verilog module. Pure.

A pin without a net is 1 in an ECP5, and each has a multiplexer behind it, which a parameter of the cell sets: PINMUX is
the pin's name, "0", "1" or "INV" (Project Trellis). The multiplexers are resolved here, so the models have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bskernel_executors.sdk import StepFailure


class _Port(msgspec.Struct, frozen=True):
    direction: str
    bits: tuple[int | str, ...]


class _Cell(msgspec.Struct, frozen=True):
    type: str
    parameters: dict[str, str | int]
    port_directions: dict[str, str]
    connections: dict[str, tuple[int | str, ...]]


class RoutedModule(msgspec.Struct, frozen=True):
    """The one module of a routed design."""

    ports: dict[str, _Port]
    cells: dict[str, _Cell]


class _File(msgspec.Struct, frozen=True):
    modules: dict[str, RoutedModule]


_DECODER = msgspec.json.Decoder(_File)
# Pins that are 0 without a net: the logic that takes them is not in use, and 1 would be a clock's edge or a reset.
_LOW = {
    "TRELLIS_FF": ("LSR", "DI", "M"),
    "TRELLIS_COMB": ("FCI", "F1", "FXA", "FXB", "WD", "WAD0", "WAD1", "WAD2", "WAD3", "WRE", "WCK"),
    "DP16KD": ("CLKA", "CLKB"),
    "MULT18X18D": ("CLK0", "CLK1", "CLK2", "CLK3", "CE0", "CE1", "CE2", "CE3", "RST0", "RST1", "RST2", "RST3"),
    "EHXPLLL": ("RST", "STDBY"),
}
_PREFIXES_LOW = {"MULT18X18D": ("SRIA", "SRIB")}
# Pins and parameters of which no model knows: they name a place, or concern what is not in use.
_PINS_LEFT_OUT = {"TRELLIS_COMB": ("DI0", "DI1")}
_PARAMETERS_KEPT = {"EHXPLLL": (), "DCCA": (), "bskernel_ecp5_input_pin": (), "bskernel_ecp5_output_pin": ()}
_PINS = {"INPUT": ("bskernel_ecp5_input_pin", ("B", "O")), "OUTPUT": ("bskernel_ecp5_output_pin", ("I", "B"))}
_BINARY = re.compile(r"[01xz]+")


def read_routed(data: bytes) -> RoutedModule:
    """Read the JSON. Raises StepFailure (config) for what nextpnr did not write."""
    try:
        modules = _DECODER.decode(data).modules
    except msgspec.MsgspecError as error:
        raise StepFailure(
            category="config", message=f"the routed design is not what nextpnr writes: {error}"
        ) from error
    if len(modules) != 1:
        raise StepFailure(category="config", message=f"the routed design has {len(modules)} modules, not one")
    return next(iter(modules.values()))


def _parameter(value: str | int) -> str:
    """Bits are a text of 0 and 1; a text that could be one has a space behind it."""
    if isinstance(value, int):
        return str(value)
    if _BINARY.fullmatch(value):
        return f"{len(value)}'b{re.sub('[xz]', '0', value)}"
    return '"' + (value[:-1] if value.endswith(" ") else value) + '"'


def _pin(kind: str, pin: str, bits: tuple[int | str, ...], parameters: Mapping[str, str | int]) -> str:
    """What a pin takes. Raises StepFailure for a multiplexer that is not known."""
    chosen = str(parameters.get(f"{pin}MUX", pin)).strip()
    if chosen in ("0", "1"):
        return f"1'b{chosen}"
    low = pin in _LOW.get(kind, ()) or pin.startswith(_PREFIXES_LOW.get(kind, ("\0",)))
    taken = f"n{bits[0]}" if bits else "1'b0" if low else "1'b1"
    if chosen == "INV":
        return f"~{taken}"
    # The multiplexer of a cell's own clock is named like the pin.
    if chosen != pin:
        raise StepFailure(category="kernel", message=f"pin {pin} of {kind} has an unknown multiplexer {chosen!r}")
    return taken


def _instance(number: int, cell: _Cell) -> str:
    kind, parameters = cell.type, dict(cell.parameters)
    # nextpnr leaves out CE where its multiplexer is constant.
    directions = {"CE": "input", **cell.port_directions} if kind == "TRELLIS_FF" else cell.port_directions
    pins = tuple(pin for pin in directions if pin not in _PINS_LEFT_OUT.get(kind, ()))
    if kind == "TRELLIS_IO":
        direction = str(parameters["DIR"]).strip()
        if direction not in _PINS:
            raise StepFailure(message=f"a pin of direction {direction} cannot be simulated")
        kind, pins = _PINS[direction]
    if kind == "TRELLIS_COMB" and any(cell.connections.get(pin) for pin in ("FXA", "FXB")):
        parameters["IS_Z1"] = "1"
    fixed = ""
    if kind == "TRELLIS_FF":
        parameters.setdefault("SD", "0 ")
        fixed = ', .CEMUX("CE")'  # its default is 1, and what CE is stands at the pin
    connected = []
    for pin in pins:
        bits = cell.connections.get(pin, ())
        if directions[pin] == "output":
            connected += [f".{pin}(n{bits[0]})"] if bits else []
        else:
            connected.append(f".{pin}({_pin(cell.type, pin, bits, parameters)})")
    kept = _PARAMETERS_KEPT.get(kind)
    given = ", ".join(
        f".{name}({_parameter(value)})"
        for name, value in parameters.items()
        if not name.endswith("MUX") and (kept is None or name in kept)
    ) + fixed
    return f"\t{kind} {f'#({given}) ' if given else ''}c{number} ({', '.join(connected)});\n"


def write_routed_netlist(module: RoutedModule, top: str) -> str:
    """Write the module, as `top`. Nets are called n and nextpnr's number, cells c and their position."""
    ports, lines = [], []
    for name, port in module.ports.items():
        width = len(port.bits)
        ports.append(f"\t{port.direction} wire {f'[{width - 1}:0] ' if width > 1 else ''}{name}")
        for at, bit in enumerate(port.bits):
            part = f"{name}[{at}]" if width > 1 else name
            net = f"n{bit}" if isinstance(bit, int) else f"1'b{bit}"
            lines.append(f"\tassign {part} = {net};\n" if port.direction == "output" else f"\tassign {net} = {part};\n")
    cells = "".join(_instance(number, cell) for number, cell in enumerate(module.cells.values()))
    nets = sorted(
        {bit for port in module.ports.values() for bit in port.bits if isinstance(bit, int)}
        | {bit for cell in module.cells.values() for bits in cell.connections.values() for bit in bits if isinstance(bit, int)}
    )
    wires = "".join(f"\twire n{net};\n" for net in nets)
    return f"module {top} (\n" + ",\n".join(ports) + f"\n);\n{wires}{''.join(lines)}{cells}endmodule\n"


def count_cells(module: RoutedModule) -> dict[str, int]:
    """Count the cells by kind."""
    counts: dict[str, int] = {}
    for cell in module.cells.values():
        counts[cell.type] = counts.get(cell.type, 0) + 1
    return counts
