"""Compute in Python what hardware must compute for given frames: the reference of a simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from bskernel_executors.quality.network import Network
from bskernel_executors.quality.samples import draw_frames, fit_frames, read_samples
from bskernel_executors.sdk import StepFailure, parameter


class ReferenceParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `reference`."""

    random_frames: Annotated[
        int, parameter("frames to draw at the accelerator's input if there are no samples", unit="frames")
    ] = 32


def _to_integers(values: Any, what: str) -> Any:
    import numpy as np

    if not np.equal(np.mod(values, 1), 0).all():
        raise StepFailure(
            category="kernel",
            message=f"{what} outputs fractions, but hardware computes with integers",
            hint="run split_host before, which leaves layers with fractions to the host",
        )
    return values.astype(np.int64)


def _draw(count: int, body: Network) -> Any:
    if not body.datatype.is_integer():
        raise StepFailure(
            category="kernel",
            message=f"the model takes {body.datatype.name}, but hardware computes with integers",
            hint="run split_host before, which leaves layers with fractions to the host",
        )
    return draw_frames(count, body.frame, body.datatype)


def make_reference(model: Path, host: Path | None, samples: Path | None, count: int, out: Path) -> dict[str, Any]:
    """Write inputs.npy and outputs.npy of the accelerator: int64, frames first.

    With labels, also write labels.npy and predictions.npy of shape (N,). Samples pass through the host's head,
    outputs through its tail; a prediction is the index of the largest value.
    Raises StepFailure (config, kernel).
    """
    import numpy as np

    body = Network(model)
    head, tail = (
        Network(path, f"the host's {path.stem}") if host is not None and (path := host / name).exists() else None
        for name in ("head.onnx", "tail.onnx")
    )
    labels = None
    if samples is None:
        frames = _draw(count, body)
    else:
        first = head or body
        given = read_samples(samples)
        frames, labels = fit_frames(given.inputs, first.frame, first.datatype, "samples"), given.labels
        frames = frames if head is None else head.run(frames).values
    inputs = _to_integers(frames, "the host's head").reshape(len(frames), *body.frame)
    found = body.run(inputs)
    outputs = _to_integers(found.values, "the model")
    np.save(out / "inputs.npy", inputs)
    np.save(out / "outputs.npy", outputs)
    if labels is not None:
        final = found if tail is None else tail.run(found.values)
        np.save(out / "labels.npy", labels)
        np.save(out / "predictions.npy", final.rank(1)[:, 0])
    return {"frames": len(inputs), "labelled": labels is not None}
