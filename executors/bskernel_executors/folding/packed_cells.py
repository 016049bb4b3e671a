"""What a netlist of Yosys' takes of a device of Lattice's once nextpnr has packed it, by layer. Pure.

Carries form chains. On an ECP5 nextpnr feeds each chain by one more carry cell, and takes out by another one each
carry that something else than the next one reads, and the last one (split_carry_chain of ecp5/pack.cc). On an iCE40 a
logic cell holds a LUT, the flip-flop that it alone drives, and a carry; other flip-flops have cells of their own, as
has a signal that begins a chain, and a carry that logic reads other than by the I3 beside the next one
(ice40/pack.cc, ice40/chains.cc). Of designs that were routed this gave 2,801 of 2,819 and 6,555 of 6,621
LUTs on an ECP5, and 3,646 of 3,648 and 3,718 of 3,722 logic cells on an iCE40.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from bskernel_executors.lattice.cells import count_resources
from bskernel_executors.lattice.devices import Family
from bskernel_executors.sdk import StepFailure

Bit = int | str  # a net's number, or a constant


class _WiredCell(msgspec.Struct, frozen=True):
    type: str
    connections: dict[str, tuple[Bit, ...]]

    def net(self, port: str) -> Bit | None:
        """The net at a port of one bit."""
        return next(iter(self.connections.get(port, ())), None)


class _WiredModule(msgspec.Struct, frozen=True):
    cells: dict[str, _WiredCell]
    attributes: dict[str, str] = {}


class _WiredNetlist(msgspec.Struct, frozen=True):
    modules: dict[str, _WiredModule]


_NETLIST = msgspec.json.Decoder(_WiredNetlist)


def count_packed(path: Path, family: Family, layers: Iterable[str]) -> dict[str, dict[str, int]]:
    """Count resource -> count of each layer in a netlist that yosys-synth:join_lattice wrote.

    Raises StepFailure (config) for another file.
    """
    try:
        modules = _NETLIST.decode(path.read_bytes()).modules.values()
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StepFailure(category="config", message=f"lattice_netlist is no netlist of Yosys: {error}") from error
    tops = [module for module in modules if int(module.attributes.get("top", "0"), 2)]
    if len(tops) != 1:
        raise StepFailure(category="config", message=f"lattice_netlist has {len(tops)} top modules, not one")
    users = Counter(
        bit for cell in tops[0].cells.values() for port, bits in cell.connections.items() for bit in bits
    )  # pins, the driver's too
    instances = {f"{name}_i": name for name in layers}
    found: dict[str, dict[str, _WiredCell]] = {name: {} for name in instances.values()}
    for name, cell in tops[0].cells.items():
        layer = instances.get(name.partition(".")[0])
        if layer is not None:
            found[layer][name] = cell
    pack = _PACKERS[family]
    return {
        layer: {**count_resources(family, Counter(cell.type for cell in cells.values())), **pack(cells, users)}
        for layer, cells in found.items()
    }


def _pack_ecp5(cells: Mapping[str, _WiredCell], pins: Mapping[Bit, int]) -> dict[str, int]:
    carries = [cell for cell in cells.values() if cell.type == "CCU2C"]
    read, given = ({cell.net(port) for cell in carries} for port in ("CIN", "COUT"))
    begins = sum(cell.net("CIN") not in given for cell in carries)
    # A carry's net has the driver's pin, and the next carry's.
    outs = sum(net not in read or pins[net] > 2 for cell in carries if (net := cell.net("COUT")) is not None)
    return {
        "LUT": 2 * (begins + outs) + count_resources("ecp5", Counter(cell.type for cell in cells.values()))["LUT"]
    }


def _pack_ice40(cells: Mapping[str, _WiredCell], pins: Mapping[Bit, int]) -> dict[str, int]:
    luts, carries = ([cell for cell in cells.values() if cell.type == kind] for kind in ("SB_LUT4", "SB_CARRY"))
    registers = [cell for cell in cells.values() if cell.type.startswith("SB_DFF")]
    driven = {cell.net("D") for cell in registers}
    together = sum((net := cell.net("O")) in driven and net is not None and pins[net] == 2 for cell in luts)
    given = {cell.net("CO") for cell in carries}
    begins = sum(isinstance(net := cell.net("CI"), int) and net not in given for cell in carries)
    beside = Counter([cell.net("I3") for cell in luts] + [cell.net("CI") for cell in carries])
    outs = sum(pins[net] > 1 + beside[net] for cell in carries if (net := cell.net("CO")) is not None)
    return {"LUT": len(luts) + len(registers) - together + begins + outs}


_PACKERS: dict[Family, Callable[[Mapping[str, _WiredCell], Mapping[Bit, int]], dict[str, int]]] = {
    "ecp5": _pack_ecp5,
    "ice40": _pack_ice40,
}
