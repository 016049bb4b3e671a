"""Where Yosys puts a memory with a port to write and one to read, on a device of Lattice's. Pure.

Yosys 0.70 takes what costs least: block RAM, distributed RAM, or a flip-flop a bit (passes/memory/memory_libmap.cc:
handle_geom; costs and sizes in share/lattice/brams_16kd.txt, share/lattice/lutrams_trellis.txt and
share/ice40/brams.txt). It ignores the ram_style that FINN writes, whose name is in capital letters.
"""

from __future__ import annotations

import msgspec

from bskernel_executors.dataflow.memories import count_rams
from bskernel_executors.lattice.devices import Family

_MULTIPLEXER = 0.5  # the cost of each bit of a multiplexer or of a decoder


class _MemoryCell(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of memory cell: its cost, and its widths with the words that it has at each; bytes can be written."""

    cost: float
    shapes: tuple[tuple[int, int], ...]
    byte: int

    def need(self, words: int, bits: int) -> tuple[float, int]:
        """The least cost of a memory, and the number of cells at that cost."""
        found = []
        for width, deep in self.shapes:
            rows, cells = count_rams(words, bits, deep, width, min(self.byte, width))
            logic = (rows - 1) * bits + (rows if rows > 1 else 0)
            found.append((self.cost * cells + _MULTIPLEXER * logic, cells))
        return min(found)


_BLOCKS: dict[Family, _MemoryCell] = {
    "ecp5": _MemoryCell(
        cost=128, shapes=((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512)), byte=9
    ),
    "ice40": _MemoryCell(cost=64, shapes=((2, 2048), (4, 1024), (8, 512), (16, 256)), byte=1),
}
_DISTRIBUTED: dict[Family, _MemoryCell] = {"ecp5": _MemoryCell(cost=4, shapes=((4, 16),), byte=4)}


def count_blocks(family: Family, words: int, bits: int) -> int:
    """The block RAMs of `words` words of `bits` bits each; 0 where they lie elsewhere."""
    cost, blocks = _BLOCKS[family].need(words, bits)
    if cost >= words * bits:
        return 0
    distributed = _DISTRIBUTED.get(family)
    return 0 if distributed is not None and distributed.need(words, bits)[0] < cost else blocks
