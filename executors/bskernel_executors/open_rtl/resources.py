"""Estimates of LUT, BRAM_18K and DSP of the library's modules. Pure.

Each formula counts what its module consists of; the factors were fitted to what Yosys 0.70 counts on UltraScale+ for
layers of 1 to 64 bits of stream: they differ by less than a third, more for constants of a few words. Widths are in
bits.
"""

from __future__ import annotations

import math

_BLOCK_DEPTH = 512  # words from which Yosys puts a memory that is read by clock into block RAM
_DSP_PRODUCT = 9  # bits of a product from which Yosys uses a DSP
_DSP_WIDTHS = (26, 17)  # unsigned operands of a DSP48


def count_register(width: int) -> int:
    """LUTs of bsk_register: a multiplexer for each bit, and its control."""
    return width + 4


def count_memory(width: int, depth: int) -> tuple[int, int]:
    """LUTs and BRAM_18K of a memory that is read by clock."""
    if depth < _BLOCK_DEPTH:
        return width * math.ceil(depth / 64), 0
    columns = min(
        math.ceil(width / wide) * math.ceil(depth / deep)
        for wide, deep in ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
    )
    return 0, columns


def count_fork(outputs: int, width: int) -> int:
    """LUTs of bsk_fork."""
    return outputs * count_register(width)


def count_concat(inputs: int, width: int) -> int:
    """LUTs of bsk_concat: a multiplexer of all inputs."""
    return count_register(width) + width * (inputs - 1) // 3 + 10


def count_split(outputs: int, width: int) -> int:
    """LUTs of bsk_split."""
    return outputs * count_register(width) + 16


def count_resize(width: int) -> int:
    """LUTs of bsk_upsample and bsk_pixel_padding without a memory: five counters."""
    return count_register(width) + 68


def count_shuffle(width: int, beats: int, loops: int) -> int:
    """LUTs of bsk_shuffle without its memory: two addresses, and the counters of the loops."""
    return count_register(width) + 3 * (2 * beats).bit_length() + 8 * loops


def count_pool(lanes: int, bits: int, out_width: int, *, is_max: bool) -> int:
    """LUTs of bsk_pool; `bits` are those of a value of a maximum, or of a sum."""
    lane = 2 * bits + 2 if is_max else 7 * bits // 4
    return count_register(out_width) + lanes * lane


def count_global_pool(width: int, folds: int) -> int:
    """LUTs of bsk_global_pool: an adder and a multiplexer for each bit, and the sums in distributed RAM."""
    return count_register(width) + 2 * width + (width * math.ceil(folds / 64) if folds > 1 else 0)


def count_label_select(lanes: int, k: int, key: int, out_width: int) -> int:
    """LUTs of bsk_label_select: per cell a tree of comparisons, and what it passes on; `key` are bits of a key."""
    return count_register(out_width) + 10 + lanes * key * (8 * k - 5) // 2


def count_elementwise(operation: str, lanes: int, left: int, right: int, out: int) -> tuple[int, int]:
    """LUTs and DSPs of bsk_elementwise without a constant; `left`, `right` and `out` are bits of one value."""
    lane, dsp = max(left, right), 0
    if operation in {"ADD", "SUB"}:
        lane = out
    elif operation in {"MAX", "ABSDIFF"}:
        lane = 2 * lane
    elif operation.startswith("SHIFT"):
        lane = 3 * out // 2
    elif operation in {"AND", "OR", "XOR"}:
        lane = math.ceil((left + right) / 3)
    elif operation == "MUL":
        wide, narrow = max(left, right), min(left, right)
        is_small = wide + narrow < _DSP_PRODUCT
        lane = 7 * left * right // 4 if is_small else 0
        dsp = 0 if is_small else math.ceil(wide / _DSP_WIDTHS[0]) * math.ceil(narrow / _DSP_WIDTHS[1])
    return count_register(lanes * out) + lanes * lane, lanes * dsp
