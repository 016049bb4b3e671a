"""The reference of a simulation: frames at the design's input, and what Python computes from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bskernel_executors.exchange.design import Design, StreamFormat
from bskernel_executors.sdk import StepFailure


def read_reference(reference: Path, design: Design) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read inputs and outputs of shape (N, values). Raises StepFailure (config) if they do not fit the streams."""
    return _read(reference, "inputs", design.input), _read(reference, "outputs", design.output)


def _read(reference: Path, name: str, stream: StreamFormat) -> NDArray[np.int64]:
    path = reference / f"{name}.npy"
    data: NDArray[np.int64] = np.load(path, allow_pickle=False).astype(np.int64)
    if data.reshape(len(data), -1).shape[1] != stream.beats * stream.parallel:
        raise StepFailure(
            category="config",
            message=f"reference/{name}.npy has frames of shape {data.shape[1:]}, but the design takes {stream.shape}",
        )
    return data.reshape(len(data), -1)


def compute_accuracy(reference: Path) -> float | None:
    """Return the fraction of right predictions; None without labels.

    Python's predictions are the hardware's, because every output is equal.
    """
    paths = [reference / f"{name}.npy" for name in ("predictions", "labels")]
    if not all(path.exists() for path in paths):
        return None
    predictions, labels = (np.load(path, allow_pickle=False) for path in paths)
    return float((predictions == labels).mean())


def find_wrong_frames(outputs: NDArray[np.int64], expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the frames of which an output differs from Python's. Both have the shape (N, values)."""
    return np.flatnonzero((outputs != expected).any(axis=1))


def check_outputs(outputs: NDArray[np.int64], expected: NDArray[np.int64], located: tuple[str, ...] = ()) -> None:
    """Raise StepFailure (verification) if an output differs from Python's; `located` says where that begins."""
    wrong = find_wrong_frames(outputs, expected)
    if len(wrong):
        at = int(wrong[0])
        raise StepFailure(
            category="verification",
            message=f"{len(wrong)} of {len(expected)} frames differ from Python's; the first is frame {at}"
            + (f"; {located[0]}" if located else ""),
            cause=(
                *located[1:],
                f"design: {outputs[at].tolist()}"[:400],
                f"Python: {expected[at].tolist()}"[:400],
            ),
            hint="the hardware computes something else than the model, so no number of this design can be trusted",
        )
