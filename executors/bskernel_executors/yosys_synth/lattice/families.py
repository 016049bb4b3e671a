"""What synthesis takes for each of Lattice's families. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from bskernel_executors.lattice.devices import Family

Multipliers: TypeAlias = Literal["lut", "dsp"]


class FamilySynthesis(msgspec.Struct, frozen=True, kw_only=True):
    """Yosys' command for a family, its option by the choice of multipliers, and its library of cells.

    `fixed` are parameters that the family decides. `differences` say how counts differ from those of a vendor's tool.
    """

    command: str
    options: dict[Multipliers, str]
    library: tuple[str, ...]
    fixed: dict[str, str] = {}
    differences: tuple[str, ...]


_ALONE = (
    "no clock frequency is estimated, because nothing is placed",
    "each layer is synthesised alone: what crosses from one to the next is not simplified",
)
SYNTHESES: dict[Family, FamilySynthesis] = {
    "ecp5": FamilySynthesis(
        command="synth_lattice -family ecp5",
        options={"lut": " -nodsp", "dsp": ""},
        library=("+/lattice/cells_sim_ecp5.v", "+/lattice/cells_bb_ecp5.v"),
        differences=("LUTs are LUT4, and a BRAM_18K is a DP16KD", *_ALONE),
    ),
    "ice40": FamilySynthesis(
        command="synth_ice40 -device u",
        options={"lut": "", "dsp": " -dsp"},
        library=("+/ice40/cells_sim.v",),
        fixed={"fifos": "shift"},  # there is no distributed RAM
        differences=("LUTs are LUT4, and a BRAM_4K is a SB_RAM40_4K", *_ALONE),
    ),
}
