"""Count the cells of a netlist as resources of Lattice's devices. Pure.

ECP5: a carry cell (CCU2C) takes two LUTs. A distributed RAM (16 words of 4 bits) takes the six of three slices, as
Lattice counts it (FPGA-TN-02204). Multiplexers of LUTs (PFUMX, L6MUX21) have places of their own.
iCE40: a carry has a place beside a LUT (FPGA-DS-02008).
"""

from __future__ import annotations

from collections.abc import Mapping

from bskernel_executors.lattice.devices import Family

_LUTS: dict[Family, dict[str, int]] = {
    "ecp5": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
    "ice40": {"SB_LUT4": 1},
}
_OTHERS: dict[Family, dict[str, tuple[str, ...]]] = {
    "ecp5": {
        "FF": ("TRELLIS_FF",),
        "DSP": ("MULT18X18D",),
        "BRAM_18K": ("DP16KD", "PDPW16KD"),  # the second reads and writes 36 bits by two clocks
        "CARRY": ("CCU2C",),
    },
    "ice40": {
        "FF": tuple(
            f"SB_DFF{edge}{enable}{reset}"
            for edge in ("", "N") for enable in ("", "E") for reset in ("", "R", "S", "SR", "SS")
        ),
        "DSP": ("SB_MAC16",),
        "BRAM_4K": ("SB_RAM40_4K", "SB_RAM40_4KNR", "SB_RAM40_4KNW", "SB_RAM40_4KNRNW"),
        "CARRY": ("SB_CARRY",),
    },
}  # fmt: skip


def count_resources(family: Family, cells: Mapping[str, int]) -> dict[str, int]:
    """Count resources from cell -> count. A resource without cells is 0."""
    return {
        "LUT": sum(cost * cells.get(kind, 0) for kind, cost in _LUTS[family].items()),
        **{name: sum(cells.get(kind, 0) for kind in kinds) for name, kinds in _OTHERS[family].items()},
    }
