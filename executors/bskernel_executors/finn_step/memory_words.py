"""Pack values into hexadecimal words all at once, where FINN+ packs them one by one. The words are the same.

FINN+ writes the memories of weights and thresholds as such words, and spent nearly all of its code generation on it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_MOST_BITS = 62  # of a value: it is shifted in 64 bits with a sign
_BLOCK = 1 << 22  # bits that are unpacked at a time, each into 8 bytes
_SMALLEST_WORD = 4  # bits: what FINN takes instead of a smaller pad_to_nbits


def pack_integers(values: Any, bits: int, *, low: int, high: int, word_bits: int, prefix: str) -> Any | None:
    """Pack the innermost dimension of an array into words of `word_bits`, the first value in the highest bits.

    Returns an array of strings without that dimension; None for values that are not integers within `low` and `high`,
    or do not fit.
    """
    import numpy as np

    parallel = values.shape[-1] if values.ndim else 0
    if not values.size or bits > _MOST_BITS or parallel * bits > word_bits or word_bits % 4:
        return None
    if not np.all((values >= low) & (values <= high) & (np.rint(values) == values)):
        return None
    rows = values.reshape(-1, parallel).astype(np.int64)
    shifts = np.arange(bits - 1, -1, -1, dtype=np.int64)
    bytes_of_word = -(-word_bits // 8)
    digits, unused = 2 * bytes_of_word, 2 * bytes_of_word - word_bits // 4
    words: list[str] = []
    block = max(1, _BLOCK // (parallel * bits))
    for start in range(0, len(rows), block):
        some = rows[start : start + block]
        unpacked = np.zeros((len(some), bytes_of_word * 8), dtype=np.uint8)
        unpacked[:, -parallel * bits :] = ((some[:, :, None] >> shifts) & 1).reshape(len(some), -1)
        text = np.packbits(unpacked, axis=1).tobytes().hex()
        words += [prefix + text[at + unused : at + digits] for at in range(0, len(text), digits)]
    return np.array(words).reshape(values.shape[:-1])


def _pack(ndarray: Any, dtype: Any, word_bits: int, *, reverse: bool, prefix: str) -> Any | None:
    """Pack as FINN does. Returns None for what FINN is to pack itself, or to refuse."""
    import numpy as np
    from qonnx.core.datatype import DataType

    values: Any = np.asarray(ndarray, dtype=np.float32)
    bits = dtype.bitwidth()
    if dtype.is_fixed_point():
        values, dtype = values / dtype.scale_factor(), DataType[f"INT{bits}"]
    elif dtype == DataType["BIPOLAR"]:
        values, dtype = (values + 1) / 2, DataType["BINARY"]
    elif not dtype.is_integer():
        return None
    return pack_integers(
        np.flip(values, -1) if reverse else values,
        bits,
        low=dtype.min(),
        high=dtype.max(),
        word_bits=max(word_bits, _SMALLEST_WORD),
        prefix=prefix,
    )


def pack_words_with(pack_by_finn: Callable[..., Any]) -> Callable[..., Any]:
    """Make the replacement of FINN's `pack_innermost_dim_as_hex_string`, which goes on packing floats."""

    def pack_innermost_dim_as_hex_string(
        ndarray: Any, dtype: Any, pad_to_nbits: int, reverse_inner: bool = False, prefix: str = "0x"
    ) -> Any:
        words = _pack(ndarray, dtype, pad_to_nbits, reverse=reverse_inner, prefix=prefix)
        if words is not None:
            return words
        return pack_by_finn(ndarray, dtype, pad_to_nbits, reverse_inner=reverse_inner, prefix=prefix)

    return pack_innermost_dim_as_hex_string


def replace_packing() -> None:
    """Replace FINN's packing in this process, before FINN's layers import it by name."""
    module = importlib.import_module("finn.util.data_packing")
    module.__dict__["pack_innermost_dim_as_hex_string"] = pack_words_with(module.pack_innermost_dim_as_hex_string)
