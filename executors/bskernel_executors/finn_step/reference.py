"""What Python computes for given frames: the truth that a simulation is held to."""

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
        int, parameter("frames to draw at the accelerator's input where no samples are given", unit="frames")
    ] = 32


def _integers(values: Any, what: str) -> Any:
    import numpy as np

    if not np.equal(np.mod(values, 1), 0).all():
        raise StepFailure(
            category="kernel",
            message=f"{what} gives fractions: hardware takes and gives integers",
            hint="run split_host before: it leaves to the host what gives fractions",
        )
    return values.astype(np.int64)


def _draw(count: int, body: Network) -> Any:
    if not body.datatype.is_integer():
        raise StepFailure(
            category="kernel",
            message=f"the model takes {body.datatype.name}: hardware takes integers",
            hint="run split_host before: it leaves to the host what takes fractions",
        )
    return draw_frames(count, body.frame, body.datatype)


def make_reference(model: Path, host: Path | None, samples: Path | None, count: int, out: Path) -> dict[str, Any]:
    """Write inputs.npy and outputs.npy (int64) at the accelerator's borders; with labels, those and predictions.npy.

    Samples go through the host's head, the outputs through its tail; a prediction is the place of the largest value.
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
    inputs = _integers(frames, "the host's head").reshape(len(frames), *body.frame)
    found = body.run(inputs)
    outputs = _integers(found.values, "the model")
    np.save(out / "inputs.npy", inputs)
    np.save(out / "outputs.npy", outputs)
    if labels is not None:
        final = found if tail is None else tail.run(found.values)
        np.save(out / "labels.npy", labels)
        np.save(out / "predictions.npy", final.ranking(1)[:, 0])
    return {"frames": len(inputs), "labelled": labels is not None}
