"""Frames of integers as beats of a stream, and back. Pure."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """How a frame is folded: see design.json. Values go from the lowest bits of a beat upwards."""

    width: int
    beats: int
    parallel: int
    bits: int
    signed: bool
    shape: tuple[int, ...]


def _places(stream: Stream) -> NDArray[np.int64]:
    return np.arange(stream.bits, dtype=np.int64)


def pack(frames: NDArray[np.int64], stream: Stream) -> NDArray[np.uint8]:
    """Integers of shape (N, ...) as bytes of shape (N * beats, width / 8). Raises ValueError if one is too large."""
    low = -(1 << (stream.bits - 1)) if stream.signed else 0
    high = (1 << (stream.bits - 1)) - 1 if stream.signed else (1 << stream.bits) - 1
    if frames.size and (frames.min() < low or frames.max() > high):
        raise ValueError(f"values from {frames.min()} to {frames.max()} in a stream of {low} to {high}")
    beats = frames.reshape(-1, stream.parallel)
    bits = ((beats[:, :, None] >> _places(stream)) & 1).astype(np.uint8).reshape(len(beats), -1)
    padded = np.zeros((len(beats), stream.width), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little")


def unpack(data: NDArray[np.uint8], stream: Stream) -> NDArray[np.int64]:
    """Beats of shape (N * beats, width / 8) as integers of shape (N, beats * parallel)."""
    bits = np.unpackbits(data, axis=1, bitorder="little")[:, : stream.parallel * stream.bits]
    weights = np.int64(1) << _places(stream)
    if stream.signed:
        weights[-1] = -weights[-1]
    values: NDArray[np.int64] = bits.reshape(len(data), stream.parallel, stream.bits).astype(np.int64) @ weights
    return values.reshape(-1, stream.beats * stream.parallel)
