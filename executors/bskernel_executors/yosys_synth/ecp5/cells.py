"""Count the cells of an ECP5 netlist as resources. Pure.

A carry cell (CCU2C) takes two LUTs. A distributed RAM (16 words of 4 bits) takes the six of three slices, as Lattice
counts it (FPGA-TN-02204). Multiplexers of LUTs (PFUMX, L6MUX21) have places of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

_LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
_OTHERS = {
    "FF": ("TRELLIS_FF",),
    "DSP": ("MULT18X18D",),
    "BRAM_18K": ("DP16KD", "PDPW16KD"),  # the second reads and writes 36 bits by two clocks
    "CARRY": ("CCU2C",),
}

DIFFERENCES = (
    "LUTs are LUT4, and a BRAM_18K is a DP16KD",
    "no clock frequency is estimated, because nothing is placed",
    "each layer is synthesised alone: what crosses from one to the next is not simplified",
)


def count_cells(cells: Mapping[str, int]) -> dict[str, int]:
    """Count resources from cell -> count. A resource without cells is 0."""
    return {
        "LUT": sum(cost * cells.get(kind, 0) for kind, cost in _LUTS.items()),
        **{name: sum(cells.get(kind, 0) for kind in kinds) for name, kinds in _OTHERS.items()},
    }
