"""The resources of the devices on FINN's boards, from AMD's data sheets, and of Lattice's.

Sources: DS190 (Zynq-7000), DS891 (Zynq UltraScale+), DS889 (RFSoC), DS987 (K26), DS890 (UltraScale+), DS962, DS963
and DS965 (Alveo), DS950 (Versal). On Alveo and Versal, a shell uses some of these resources.
"""

from __future__ import annotations

import msgspec

from bskernel_executors.lattice.boards import list_board_parts
from bskernel_executors.lattice.devices import find_part, is_lattice


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of one device; BRAM_36K are block RAM tiles, each also usable as two BRAM_18K."""

    LUT: int
    FF: int
    BRAM_36K: int
    URAM: int
    DSP: int
    BRAM_4K: int = 0  # instead of BRAM_36K


def _device(lut: int, bram: int, uram: int, dsp: int) -> Device:
    # Every family here has two flip-flops per LUT.
    return Device(LUT=lut, FF=2 * lut, BRAM_36K=bram, URAM=uram, DSP=dsp)


# By the start of the part's name, without package and speed grade.
_DEVICES = {
    "xc7z010": _device(17_600, 60, 0, 80),
    "xc7z020": _device(53_200, 140, 0, 220),
    "xczu3eg": _device(70_560, 216, 0, 360),
    "xczu7ev": _device(230_400, 312, 96, 1_728),
    "xczu9eg": _device(274_080, 912, 0, 2_520),
    "xczu28dr": _device(425_280, 1_080, 80, 4_272),
    "xczu48dr": _device(425_280, 1_080, 80, 4_272),
    "xck26": _device(117_120, 144, 64, 1_248),
    "xcu50": _device(871_680, 1_344, 640, 5_952),
    "xcu55c": _device(1_303_680, 2_016, 960, 9_024),
    "xcu200": _device(1_182_240, 2_160, 960, 6_840),
    "xcu250": _device(1_728_000, 2_688, 1_280, 12_288),
    "xcu280": _device(1_303_680, 2_016, 960, 9_024),
    "xcvc1902": _device(899_840, 967, 463, 1_968),
    "xcve2802": _device(520_704, 600, 264, 1_312),
    "xcv80": _device(2_574_208, 3_741, 1_925, 10_848),
}
_BOARDS = {
    "Ultra96": "xczu3eg-sbva484-1-e",
    "Ultra96-V2": "xczu3eg-sbva484-1-i",
    "Pynq-Z1": "xc7z020clg400-1",
    "Pynq-Z2": "xc7z020clg400-1",
    "ZCU102": "xczu9eg-ffvb1156-2-e",
    "ZCU104": "xczu7ev-ffvc1156-2-e",
    "ZCU111": "xczu28dr-ffvg1517-2-e",
    "RFSoC2x2": "xczu28dr-ffvg1517-2-e",
    "RFSoC4x2": "xczu48dr-ffvg1517-2-e",
    "KV260_SOM": "xck26-sfvc784-2LV-c",
    "AUP-ZU3_8GB": "xczu3eg-sfvc784-2-e",
    "U50": "xcu50-fsvh2104-2L-e",
    "U200": "xcu200-fsgd2104-2-e",
    "U250": "xcu250-figd2104-2L-e",
    "U280": "xcu280-fsvh2892-2L-e",
    "U55C": "xcu55c-fsvh2892-2L-e",
    "VEK280": "xcve2802-vsvh1760-2MP-e-S",
    "VCK190": "xcvc1902-vsva2197-2MP-e-S",
    "V80": "xcv80-lsva4737-2MHP-e-s",
}


def list_boards() -> dict[str, str]:
    """Return FINN's boards and those with an ECP5, with their parts."""
    return _BOARDS | list_board_parts()


def _find_lattice(part: str) -> Device | None:
    try:
        totals = find_part(part).device.resources
    except ValueError:
        return None
    small = totals.get("BRAM_4K", 0)
    # Two DP16KD of 18 Kb are as much as a tile of AMD's.
    tiles = totals.get("BRAM_18K", 0) // 2
    return Device(LUT=totals["LUT"], FF=totals["FF"], BRAM_36K=tiles, URAM=0, DSP=totals["DSP"], BRAM_4K=small)


def find_device(part: str | None, board: str | None) -> Device | None:
    """Find the totals of a part, or of a board's part; None if they are unknown."""
    name = (part or list_boards().get(board or "", "")).lower()
    if is_lattice(name):
        return _find_lattice(name)
    fitting = [prefix for prefix in _DEVICES if name.startswith(prefix)]
    return _DEVICES[max(fitting, key=len)] if fitting else None
