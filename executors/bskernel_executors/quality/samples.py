"""Samples: an npz with `inputs` (float32, frames first) and, if known, `labels` (int64) and `classes` (text)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bskernel_executors.sdk import StepFailure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EXACT = 1 << 24  # float32, in which models are executed, holds every integer up to here


class Samples(NamedTuple):
    """Frames to evaluate a network with. classes[i] is the name of label i."""

    inputs: NDArray[np.float32]  # (N, *frame)
    labels: NDArray[np.int64] | None = None  # (N,)
    classes: tuple[str, ...] = ()


def _refuse(message: str, hint: str | None = None) -> StepFailure:
    return StepFailure(category="config", message=message, hint=hint)


def make_samples(inputs: Any, labels: Any, name: str, classes: tuple[str, ...] = ()) -> Samples:
    """Check arrays and turn them into samples; errors call them `name`. Raises StepFailure (config)."""
    import numpy as np

    if inputs.dtype.kind not in "biuf":
        raise _refuse(f"{name}: `inputs` holds {inputs.dtype}, not numbers")
    if inputs.ndim < 2 or inputs.size == 0:
        raise _refuse(f"{name}: `inputs` has the shape {list(inputs.shape)}: expected (frames, *shape of a frame)")
    if not np.isfinite(inputs).all():
        where = int(np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(axis=1))[0])
        raise _refuse(f"{name}: frame {where} holds NaN or infinity")
    inputs = inputs.astype(np.float32)
    if labels is None:
        return Samples(inputs, None, classes)
    if labels.shape != (len(inputs),):
        raise _refuse(
            f"{name}: `labels` has the shape {list(labels.shape)} for {len(inputs)} frames",
            "give one class number per frame",
        )
    if labels.dtype.kind not in "biuf" or not (np.mod(labels, 1) == 0).all() or (labels < 0).any():
        raise _refuse(f"{name}: `labels` must hold whole numbers from 0")
    return Samples(inputs, labels.astype(np.int64), classes)


def make_no_samples() -> Samples:
    """Return samples without a frame: those of a network that evaluation cannot execute."""
    import numpy as np

    return Samples(np.zeros((0, 1), dtype=np.float32))


def read_samples(path: Path, name: str = "samples") -> Samples:
    """Read samples from an npz file; errors call it `name`. Raises StepFailure (config)."""
    import zipfile
    import zlib

    import numpy as np

    damage = (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
    try:
        with path.open("rb") as file:
            data = np.load(file, allow_pickle=False)
            if isinstance(data, np.ndarray):
                raise _refuse(f"{name} is an npy file, but an npz with an array `inputs` is expected")
            arrays = {key: data[key] for key in data.files}
    except damage as error:
        raise _refuse(f"{name} is not an npz file, or is damaged: {error}") from error
    if "inputs" not in arrays:
        raise _refuse(f"{name} has no array `inputs`; it has {', '.join(arrays) or 'none'}")
    classes = tuple(str(item) for item in arrays.get("classes", ()))
    return make_samples(arrays["inputs"], arrays.get("labels"), name, classes)


def write_samples(samples: Samples, path: Path) -> None:
    """Write samples as npz; equal samples give equal bytes."""
    import numpy as np

    arrays: dict[str, Any] = {"inputs": samples.inputs}
    if samples.labels is not None:
        arrays["labels"] = samples.labels
    if samples.classes:
        arrays["classes"] = np.array(samples.classes)
    write_arrays(arrays, path)


def write_arrays(arrays: Mapping[str, Any], path: Path) -> None:
    """Write arrays as npz; equal arrays, in the same order, give equal bytes with every release of Python.

    savez asks for ZIP64, which Python 3.11.2 and 3.11.7 write differently.
    """
    import io
    import zipfile

    import numpy as np

    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue())


def fit_frames(inputs: Any, frame: tuple[int, ...], datatype: Any, name: str) -> Any:
    """Reshape frames to the shape that a model takes, and check the values against its QONNX data type.

    Raises StepFailure (config).
    """
    import numpy as np

    if math.prod(inputs.shape[1:]) != math.prod(frame):
        raise _refuse(
            f"{name}: frames have the shape {list(inputs.shape[1:])}, the model takes {list(frame)}",
            "samples are not resized: give them in the shape that the network was trained with",
        )
    inputs = inputs.reshape(len(inputs), *frame)
    allowed = np.broadcast_to(datatype.allowed(inputs), inputs.shape)
    if not allowed.all():
        where = np.argwhere(~allowed)[0]
        raise _refuse(
            f"{name}: frame {where[0]} holds {inputs[tuple(where)]:g}; the model takes {datatype.name}",
            "give values of the model's input type, or scale them with the parameters scale, mean and std",
        )
    return inputs


def draw_frames(count: int, frame: tuple[int, ...], datatype: Any) -> Any:
    """Draw frames of a data type with a fixed seed: over its whole range, or fractions in [0, 1)."""
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
