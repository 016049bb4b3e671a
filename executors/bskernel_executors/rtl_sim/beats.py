"""Pack frames of integers into beats of an AXI stream, and unpack them. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import StreamFormat


def _bit_indices(stream: StreamFormat) -> NDArray[np.int64]:
    return np.arange(stream.bits, dtype=np.int64)


def pack(frames: NDArray[np.int64], stream: StreamFormat) -> NDArray[np.uint8]:
    """Pack integers of shape (N, ...) into bytes of shape (N * beats, width / 8).

    Raises ValueError for a value that the stream cannot carry.
    """
    low = -(1 << (stream.bits - 1)) if stream.signed else 0
    high = (1 << (stream.bits - 1)) - 1 if stream.signed else (1 << stream.bits) - 1
    if frames.size and (frames.min() < low or frames.max() > high):
        raise ValueError(f"values from {frames.min()} to {frames.max()} do not fit a stream of {low} to {high}")
    beats = frames.reshape(-1, stream.parallel)
    bits = ((beats[:, :, None] >> _bit_indices(stream)) & 1).astype(np.uint8).reshape(len(beats), -1)
    padded = np.zeros((len(beats), stream.width), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little")


def unpack(data: NDArray[np.uint8], stream: StreamFormat) -> NDArray[np.int64]:
    """Unpack bytes of shape (beats, width / 8) into integers of shape (beats, parallel)."""
    bits = np.unpackbits(data, axis=1, bitorder="little")[:, : stream.parallel * stream.bits]
    weights = np.int64(1) << _bit_indices(stream)
    if stream.signed:
        weights[-1] = -weights[-1]
    values: NDArray[np.int64] = bits.reshape(len(data), stream.parallel, stream.bits).astype(np.int64) @ weights
    return values
