"""Map the memories of a layer to the RAMs of a Xilinx family. Pure.

Yosys's own map of block RAMs moves their contents bit by bit in constant functions, which takes about a second for
each different memory. So the map is read without them, and the contents are put into the cells that it made.
"""

from __future__ import annotations

import re

_SIZES = (18 << 10, 36 << 10)  # bits, with parity
_BYTE, _WORD = 9, 256  # bits of a byte with its parity, and of one INIT_xx or INITP_xx
_FUNCTION = re.compile(r"^function \[255:0\] slice_initp?;.*?^endfunction\n", re.MULTILINE | re.DOTALL)
_USE = re.compile(r"^\s*`PARAMS_INITP?_\w+\s*\n", re.MULTILINE)
_CHOICE = "memory_libmap -logic-cost-rom 0.015625 -no-auto-huge"
_XCUP = "-D HAS_SIZE_36 -D HAS_MIXWIDTH_SDP -D HAS_ADDRCE"
_XC7 = "-D HAS_SIZE_36 -D HAS_CASCADE -D HAS_CONFLICT_BUG -D HAS_MIXWIDTH_SDP"
# Family -> what stage map_memory of Yosys 0.70's synth_xilinx chooses with, and the maps that it applies.
CHOICES = {
    "xc7": f"{_CHOICE} -lib +/xilinx/lutrams_xc5v.txt -lib +/xilinx/brams_xc4v.txt {_XC7}",
    "xcup": f"{_CHOICE} -lib +/xilinx/lutrams_xcu.txt -lib +/xilinx/brams_xc4v.txt {_XCUP} -lib +/xilinx/urams.txt",
}
BLOCK_RAM_MAPS = {"xc7": "brams_xc6v_map.v", "xcup": "brams_xcu_map.v"}


def list_maps(family: str) -> tuple[str, ...]:
    """List the maps of a family's memories, of block RAMs with their contents among them: for those in cascade."""
    others = ("urams_map.v",) if family == "xcup" else ()
    return ("lutrams_xc5v_map.v", BLOCK_RAM_MAPS[family], *others)


def drop_contents(block_rams: str, definitions: str) -> str:
    """Write Yosys's map of block RAMs, which includes `definitions` (brams_defs.vh), without what sets contents."""
    text = block_rams.replace('`include "brams_defs.vh"', _FUNCTION.sub("", definitions))
    return _USE.sub("", text)


def holds(bits: str) -> bool:
    """Does a single block RAM hold these contents?"""
    return len(bits) in _SIZES


def split_contents(bits: str) -> dict[str, str]:
    """Split a block RAM's contents, highest bit first, into INIT_xx and INITP_xx.

    Each nine bits of the contents are eight of data and one of parity. The form is that of RAMB18 and RAMB36 in AMD's
    libraries guides (UG953, UG974).
    """
    lowest_first = bits[::-1]
    data = "".join(lowest_first[at : at + _BYTE - 1] for at in range(0, len(bits), _BYTE))
    parity = lowest_first[_BYTE - 1 :: _BYTE]
    return {
        f"{name}_{at // _WORD:02X}": held[at : at + _WORD][::-1]
        for name, held in (("INIT", data), ("INITP", parity))
        for at in range(0, len(held), _WORD)
    }
