"""How many block RAMs and UltraRAMs a memory takes, and when a constant one takes block RAM at all. Pure.

These are the rules of Yosys 0.70's memory_libmap with its libraries for 7 series and UltraScale+ (share/xilinx:
brams_xc4v.txt, urams.txt), which the open flow counts by. A memory that is deeper than a RAM has its banks side by
side: all are read at once, and a multiplexer selects. So the last bits of several banks share a RAM.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_LANE = 9  # bits that a RAM can write by themselves
_SELECT = 0.5  # cost of selecting one bit of one more bank
_CONSTANT = 1 / 64  # cost of a constant bit in LUTs


class _Shape(NamedTuple):
    """A shape of block RAM: bits of a word, words, what one costs, and how many BRAM_18K it is."""

    bits: int
    words: int
    cost: int
    blocks: int


_HALF = tuple(_Shape(bits, 16384 // 2**at, 129, 1) for at, bits in enumerate((1, 2, 4, 9, 18, 36)))
_FULL = tuple(_Shape(bits, 32768 // 2**at, 257, 2) for at, bits in enumerate((1, 2, 4, 9, 18, 36, 72)))
_ULTRA_BITS, _ULTRA_WORDS, _ULTRA_LANES = 72, 4096, (8, 9)


def count_rams(words: int, bits: int, shape_words: int, shape_bits: int, lane: int) -> tuple[int, int]:
    """The banks of a memory, and how many RAMs of a shape hold them, if each lane is in one RAM."""
    banks = math.ceil(words / shape_words)
    return banks, math.ceil(banks * math.ceil(bits / lane) * lane / shape_bits)


def _map_to_blocks(words: int, bits: int, *, is_written: bool) -> tuple[float, int]:
    """The cost by which Yosys compares, and the BRAM_18K, of the shape that costs least."""
    found = []
    for shape in _HALF + _FULL:
        lane = min(shape.bits, _LANE) if is_written else 1
        banks, rams = count_rams(words, bits, shape.words, shape.bits, lane)
        found.append((rams * shape.cost + (banks - 1) * bits * _SELECT, rams * shape.blocks))
    return min(found)


def count_blocks(words: int, bits: int, *, is_written: bool = False) -> int:
    """The BRAM_18K of a memory that is put into block RAM. `is_written`: it is not constant."""
    return _map_to_blocks(words, bits, is_written=is_written)[1]


def count_ultra(words: int, bits: int) -> int:
    """The UltraRAMs of a memory that is put there; it has no initial contents."""
    return min(count_rams(words, bits, _ULTRA_WORDS, _ULTRA_BITS, lane)[1] for lane in _ULTRA_LANES)


def takes_blocks(words: int, bits: int) -> bool:
    """Return whether constants of any style (ram_style "auto") go to block RAM, since LUTs cost more."""
    return _map_to_blocks(words, bits, is_written=False)[0] < words * bits * _CONSTANT


def count_constants(words: int, bits: int, style: str) -> int:
    """The BRAM_18K of constants with a ram_style of FINN's."""
    if style == "distributed" or (style != "block" and not takes_blocks(words, bits)):
        return 0
    return count_blocks(words, bits)
