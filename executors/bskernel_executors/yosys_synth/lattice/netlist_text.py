"""Netlists as JSON, from Yosys or nextpnr (--write), as a structural Verilog module. Pure.

In a routed netlist of an ECP5, a pin without a net is 1, and each has a multiplexer behind it, which a parameter of
the cell sets: PINMUX is the pin's name, "0", "1" or "INV" (Project Trellis). The multiplexers are resolved here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from bskernel_executors.sdk import StepFailure
from bskernel_executors.yosys_synth.lattice.ice40_models import connect_routed, is_ice40


class _NetlistPort(msgspec.Struct, frozen=True):
    direction: str
    bits: tuple[int | str, ...]


class _NetlistCell(msgspec.Struct, frozen=True):
    type: str
    parameters: dict[str, str | int]
    port_directions: dict[str, str]
    connections: dict[str, tuple[int | str, ...]]


class NetlistModule(msgspec.Struct, frozen=True):
    """The one module of a flat netlist."""

    ports: dict[str, _NetlistPort]
    cells: dict[str, _NetlistCell]


class _NetlistFile(msgspec.Struct, frozen=True):
    creator: str
    modules: dict[str, NetlistModule]


_DECODER = msgspec.json.Decoder(_NetlistFile)
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
_PARAMETERS_KEPT: dict[str, tuple[str, ...]] = {
    "EHXPLLL": (), "DCCA": (), "bskernel_ecp5_input_pin": (), "bskernel_ecp5_output_pin": ()
}  # fmt: skip
_PINS = {"INPUT": ("bskernel_ecp5_input_pin", ("B", "O")), "OUTPUT": ("bskernel_ecp5_output_pin", ("I", "B"))}
_BINARY = re.compile(r"[01xz]+")


class Netlist(msgspec.Struct, frozen=True, kw_only=True):
    """A flat netlist, and whether it is routed."""

    module: NetlistModule
    routed: bool


def read_netlist(data: bytes, top: str) -> Netlist:
    """Read the JSON of Yosys or nextpnr. Raises StepFailure (config) for anything else, and another top module."""
    try:
        file = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise StepFailure(
            category="config", message=f"the netlist is not what Yosys or nextpnr writes: {error}"
        ) from error
    routed = "next" in file.creator.lower()
    # nextpnr keeps the name of the module, or calls it top.
    found = file.modules.get(top) or (
        next(iter(file.modules.values())) if routed and len(file.modules) == 1 else None
    )
    if found is None:
        raise StepFailure(
            category="config",
            message=f"the netlist has no module {top}, but {', '.join(file.modules) or 'none'}",
            hint="take the netlist of the design that stands beside it",
        )
    return Netlist(module=found, routed=routed)


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


def _routed_cell(cell: _NetlistCell) -> tuple[str, dict[str, str | int], list[tuple[str, str]]]:
    """Kind, parameters and pins of a routed cell, in the models' terms."""
    kind, parameters = cell.type, dict(cell.parameters)
    # nextpnr leaves out CE where its multiplexer is constant.
    directions = {"CE": "input", **cell.port_directions} if kind == "TRELLIS_FF" else cell.port_directions
    pins = tuple(pin for pin in directions if pin not in _PINS_LEFT_OUT.get(kind, ()))
    if kind == "TRELLIS_IO":
        direction = str(parameters["DIR"]).strip()
        if direction not in _PINS:
            raise StepFailure(message=f"a pin of direction {direction} cannot be simulated")
        kind, pins = _PINS[direction]
        # Of an output's B, nextpnr says that it goes both ways.
        directions = {**directions, "B": "output" if direction == "OUTPUT" else "input"}
    kept = {
        name: value
        for name, value in parameters.items()
        if not name.endswith("MUX") and name in _PARAMETERS_KEPT.get(kind, parameters)
    }
    if kind == "TRELLIS_COMB" and any(cell.connections.get(pin) for pin in ("FXA", "FXB")):
        kept["IS_Z1"] = "1"
    if kind == "TRELLIS_FF":
        kept = {"SD": "0 ", "CEMUX": "CE", **kept}
    connected = []
    for pin in pins:
        bits = cell.connections.get(pin, ())
        if directions[pin] != "output":
            connected.append((pin, _pin(cell.type, pin, bits, parameters)))
        elif bits:
            connected.append((pin, f"n{bits[0]}"))
    return kind, kept, connected


def _net(bit: int | str) -> str:
    """A net's name, or a constant; what does not matter is 0."""
    return f"n{bit}" if isinstance(bit, int) else f"1'b{bit if bit in ('0', '1') else '0'}"


def _synthesised_cell(cell: _NetlistCell) -> tuple[str, dict[str, str | int], list[tuple[str, str]]]:
    """Kind, parameters and pins of a cell as Yosys writes it. What a clock or a reset lacks is low."""
    pins = [
        (pin, "{" + ", ".join(map(_net, reversed(bits))) + "}" if len(bits) > 1 else _net(bits[0]))
        for pin, bits in cell.connections.items()
        if bits and (cell.port_directions[pin] != "output" or all(isinstance(bit, int) for bit in bits))
    ]
    return cell.type, cell.parameters, pins


def _routed_ice40_cell(cell: _NetlistCell) -> tuple[str, dict[str, str | int], list[tuple[str, str]]]:
    """Kind, parameters and pins of a routed cell of an iCE40, in the models' terms."""
    pins = {
        pin: (direction == "output", _net(bits[0]) if (bits := cell.connections.get(pin)) else None)
        for pin, direction in cell.port_directions.items()
    }
    return connect_routed(cell.type, cell.parameters, pins)


def _instance(number: int, cell: _NetlistCell, routed: bool) -> str:
    write = _synthesised_cell if not routed else _routed_ice40_cell if is_ice40([cell.type]) else _routed_cell
    kind, parameters, pins = write(cell)
    given = ", ".join(f".{name}({_parameter(value)})" for name, value in parameters.items())
    connected = ", ".join(f".{pin}({what})" for pin, what in pins)
    return f"\t{kind} {f'#({given}) ' if given else ''}c{number} ({connected});\n"


def write_netlist(netlist: Netlist, top: str) -> str:
    """Write the module, as `top`. Nets are called n and their number, cells c and their position."""
    module = netlist.module
    ports, lines = [], []
    for name, port in module.ports.items():
        width = len(port.bits)
        ports.append(f"\t{port.direction} wire {f'[{width - 1}:0] ' if width > 1 else ''}{name}")
        for at, bit in enumerate(port.bits):
            part = f"{name}[{at}]" if width > 1 else name
            ends = (part, _net(bit)) if port.direction == "output" else (_net(bit), part)
            lines.append(f"\tassign {ends[0]} = {ends[1]};\n")
    cells = "".join(_instance(number, cell, netlist.routed) for number, cell in enumerate(module.cells.values()))
    joined = [port.bits for port in module.ports.values()]
    joined += [bits for cell in module.cells.values() for bits in cell.connections.values()]
    nets = sorted({bit for bits in joined for bit in bits if isinstance(bit, int)})
    wires = "".join(f"\twire n{net};\n" for net in nets)
    return f"module {top} (\n" + ",\n".join(ports) + f"\n);\n{wires}{''.join(lines)}{cells}endmodule\n"


def count_cells(netlist: Netlist) -> dict[str, int]:
    """Count the cells by kind."""
    counts: dict[str, int] = {}
    for cell in netlist.module.cells.values():
        counts[cell.type] = counts.get(cell.type, 0) + 1
    return counts
