"""Frames and what Python makes of them, at the borders of a design."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.rtl_sim.design import Design
from bskernel_executors.rtl_sim.packing import Stream
from bskernel_executors.sdk import StepFailure


def read_reference(reference: Path, design: Design) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and outputs of shape (N, values). Raises StepFailure (config) when the design's streams take others."""
    return _read(reference, "inputs", design.input), _read(reference, "outputs", design.output)


def _read(reference: Path, name: str, stream: Stream) -> NDArray[np.int64]:
    path = reference / f"{name}.npy"
    data: NDArray[np.int64] = np.load(path, allow_pickle=False).astype(np.int64)
    if data.reshape(len(data), -1).shape[1] != stream.beats * stream.parallel:
        raise StepFailure(
            category="config",
            message=f"reference/{name}.npy has frames of {data.shape[1:]}, the design's are of {stream.shape}",
        )
    return data.reshape(len(data), -1)


def accuracy(reference: Path) -> float | None:
    """Of Python's predictions, which are the hardware's: every output is the same."""
    paths = [reference / f"{name}.npy" for name in ("predictions", "labels")]
    if not all(path.exists() for path in paths):
        return None
    predictions, labels = (np.load(path, allow_pickle=False) for path in paths)
    return float((predictions == labels).mean())


def check_outputs(outputs: NDArray[np.int64], expected: NDArray[np.int64]) -> None:
    """Raises StepFailure (verification) when an output differs from Python's."""
    wrong = np.flatnonzero((outputs != expected).any(axis=1))
    if len(wrong):
        at = int(wrong[0])
        raise StepFailure(
            category="verification",
            message=f"{len(wrong)} of {len(expected)} frames differ from Python's; the first is frame {at}",
            cause=(f"design: {outputs[at].tolist()}"[:400], f"Python: {expected[at].tolist()}"[:400]),
            hint="the hardware does not compute what the model says: no number of this design can be trusted",
        )
