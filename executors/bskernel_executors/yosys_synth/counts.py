"""Count the cells of a netlist as resources of a Xilinx device. Pure.

The LUTs of a distributed RAM or a shift register are those in AMD's libraries guides (UG953, UG974). Inverters are
not counted: they become part of a neighbour's LUT.
"""

from __future__ import annotations

from collections.abc import Mapping

_LUTS = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "LUT6_2": 1, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2,
    "RAM256X1S": 4, "RAM512X1S": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8, "RAM32M": 4,
    "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM64X8SW": 8,
}  # fmt: skip
_OTHERS = {
    "FF": ("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "LDCE", "LDPE"),
    "DSP": ("DSP48E1", "DSP48E2", "DSP58"),
    "BRAM_18K": ("RAMB18E1", "RAMB18E2"),
    "BRAM_36K": ("RAMB36E1", "RAMB36E2"),
    "URAM": ("URAM288",),
    "CARRY": ("CARRY4", "CARRY8"),
}


DIFFERENCES = (
    "Yosys infers no shift registers here and puts small memories into LUTs, so LUT and FF exceed Vivado's",
    "no clock frequency is estimated, because nothing is placed",
    "each layer is synthesised alone: what crosses from one to the next is not simplified",
)


def count_resources(cells: Mapping[str, int]) -> dict[str, int]:
    """Count resources from cell -> count. A resource without cells is 0."""
    return {
        "LUT": sum(_LUTS[kind] * count for kind, count in cells.items() if kind in _LUTS),
        **{name: sum(cells.get(kind, 0) for kind in kinds) for name, kinds in _OTHERS.items()},
    }
