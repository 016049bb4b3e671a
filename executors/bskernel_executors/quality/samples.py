"""Samples in their one form: an npz with `inputs` (float32, frames first), perhaps `labels` (int64), `classes`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bskernel_executors.sdk import StepFailure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EXACT = 1 << 24  # up to here float32, in which models are executed, holds every integer


class Samples(NamedTuple):
    """Frames that a network is judged by. `classes` are the labels' names, in their order."""

    inputs: NDArray[np.float32]  # (N, *frame)
    labels: NDArray[np.int64] | None = None  # (N,)
    classes: tuple[str, ...] = ()


def _refuse(message: str, hint: str | None = None) -> StepFailure:
    return StepFailure(category="config", message=message, hint=hint)


def make_samples(inputs: Any, labels: Any, name: str, classes: tuple[str, ...] = ()) -> Samples:
    """Samples of arrays that someone gave, as `name`. Raises StepFailure (config) when they are none."""
    import numpy as np

    if inputs.dtype.kind not in "biuf":
        raise _refuse(f"{name}: `inputs` holds {inputs.dtype}, not numbers")
    if inputs.ndim < 2 or inputs.size == 0:
        raise _refuse(f"{name}: `inputs` has the shape {list(inputs.shape)}, not frames first and then a frame's own")
    if not np.isfinite(inputs).all():
        where = int(np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(axis=1))[0])
        raise _refuse(f"{name}: frame {where} holds NaN or an infinity")
    inputs = inputs.astype(np.float32)
    if labels is None:
        return Samples(inputs, None, classes)
    if labels.shape != (len(inputs),):
        raise _refuse(
            f"{name}: `labels` has the shape {list(labels.shape)} for {len(inputs)} frames",
            "give one class number for each frame",
        )
    if labels.dtype.kind not in "biuf" or not (np.mod(labels, 1) == 0).all() or (labels < 0).any():
        raise _refuse(f"{name}: `labels` holds more than whole numbers from 0 on")
    return Samples(inputs, labels.astype(np.int64), classes)


def read_samples(path: Path, name: str = "samples") -> Samples:
    """Samples in an npz file; errors call it `name`. Raises StepFailure (config)."""
    import zipfile
    import zlib

    import numpy as np

    damage = (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
    try:
        with path.open("rb") as file:
            data = np.load(file, allow_pickle=False)
            if isinstance(data, np.ndarray):
                raise _refuse(f"{name} is an npy file: an npz with an array `inputs` is read here")
            arrays = {key: data[key] for key in data.files}
    except damage as error:
        raise _refuse(f"{name} is no npz file, or is damaged: {error}") from error
    if "inputs" not in arrays:
        raise _refuse(f"{name} has no array `inputs`; it has {', '.join(arrays) or 'none'}")
    classes = tuple(str(item) for item in arrays.get("classes", ()))
    return make_samples(arrays["inputs"], arrays.get("labels"), name, classes)


def write_samples(samples: Samples, path: Path) -> None:
    """Write them; equal samples give equal bytes."""
    import io
    import zipfile

    import numpy as np

    arrays: dict[str, Any] = {"inputs": samples.inputs}
    if samples.labels is not None:
        arrays["labels"] = samples.labels
    if samples.classes:
        arrays["classes"] = np.array(samples.classes)
    # Not by savez: it asks for ZIP64, which Python 3.11.2 and 3.11.7 write differently.
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue())


def fit_frames(inputs: Any, frame: tuple[int, ...], datatype: Any, name: str) -> Any:
    """Frames in the shape that a model takes, their values checked against its QONNX data type.

    Raises StepFailure (config).
    """
    import numpy as np

    if math.prod(inputs.shape[1:]) != math.prod(frame):
        raise _refuse(
            f"{name}: frames have the shape {list(inputs.shape[1:])}, the model takes {list(frame)}",
            "samples are not resized: give them as the network was trained",
        )
    inputs = inputs.reshape(len(inputs), *frame)
    allowed = np.broadcast_to(datatype.allowed(inputs), inputs.shape)
    if not allowed.all():
        where = np.argwhere(~allowed)[0]
        raise _refuse(
            f"{name}: frame {where[0]} holds {inputs[tuple(where)]:g}; the model takes {datatype.name}",
            "give the values that the model's own input takes, or let the step scale them (scale, mean, std)",
        )
    return inputs


def draw_frames(count: int, frame: tuple[int, ...], datatype: Any) -> Any:
    """Frames of a data type drawn with a fixed seed: over its whole range, or fractions in [0, 1)."""
    import numpy as np

    draw = np.random.default_rng(0)
    shape = (count, *frame)
    if datatype.name == "BIPOLAR":
        return (2 * draw.integers(0, 1, shape, endpoint=True) - 1).astype(np.float32)
    if datatype.is_fixed_point():
        step = datatype.scale_factor()
        low, high = round(datatype.min() / step), round(datatype.max() / step)
        return (draw.integers(max(low, -_EXACT), min(high, _EXACT), shape, endpoint=True) * step).astype(np.float32)
    if datatype.is_integer():
        low, high = max(int(datatype.min()), -_EXACT), min(int(datatype.max()), _EXACT)
        return draw.integers(low, high, shape, endpoint=True).astype(np.float32)
    return draw.random(shape, dtype=np.float32)
