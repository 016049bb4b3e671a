"""Compare the beats of every stream with what Python computes, and find the first layer that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import Design, Stream
from bskernel_executors.rtl_sim.beats import unpack

_WORD = 4  # bytes; $fwrite's %u writes whole words


@dataclass(frozen=True, kw_only=True)
class BeatDifference:
    """The first beat of a stream that is not Python's."""

    stream: Stream
    frame: int
    beat: int  # of the frame
    design: tuple[int, ...]  # the beat's values
    python: tuple[int, ...]


def read_taps(folder: Path, design: Design) -> dict[str, NDArray[np.int64]]:
    """Read the values of each stream by name, shape (beats, parallel). A run may have ended within a frame."""
    found = {}
    for at, stream in enumerate(design.streams):
        size = stream.format.width // 8
        data = np.frombuffer((folder / f"{at}.bin").read_bytes(), dtype=np.uint8)
        rows = data.reshape(-1, -(-size // _WORD) * _WORD)[:, :size]
        found[stream.name] = unpack(np.ascontiguousarray(rows), stream.format)
    return found


def find_difference(
    design: Design,
    taps: Mapping[str, NDArray[np.int64]],
    expected: Mapping[str, NDArray[np.int64]],
    order: NDArray[np.int64],
) -> BeatDifference | None:
    """Find the first stream, in the order of the layers that output them, whose beats differ from Python's.

    `expected` holds the frames of each tensor, shape (frames, values); frame i of the run was frame order[i] of them.
    Beats that a run did not reach are not compared.
    """
    rank = {layer: at for at, layer in enumerate(design.layers)}
    for stream in sorted(design.streams, key=lambda stream: -1 if stream.source is None else rank[stream.source]):
        if stream.tensor not in expected:
            continue
        wanted = expected[stream.tensor][order].reshape(-1, stream.format.parallel)
        got = taps[stream.name][: len(wanted)]
        wrong = np.flatnonzero((got != wanted[: len(got)]).any(axis=1))
        if len(wrong):
            at = int(wrong[0])
            return BeatDifference(
                stream=stream,
                frame=at // stream.format.beats,
                beat=at % stream.format.beats,
                design=tuple(got[at].tolist()),
                python=tuple(wanted[at].tolist()),
            )
    return None
