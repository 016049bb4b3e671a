"""What Python computes for given frames: the truth that a simulation is held to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from bskernel_executors.sdk import StepFailure, parameter


class ReferenceParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `reference`."""

    random_frames: Annotated[int, parameter("frames to draw where no samples are given", unit="frames")] = 32


def _samples(path: Path | None, count: int, shape: list[int], datatype: Any) -> tuple[Any, Any]:
    import numpy as np

    if path is None:
        draw = np.random.default_rng(0)
        return draw.integers(int(datatype.min()), int(datatype.max()), (count, *shape[1:]), endpoint=True), None
    try:
        with np.load(path, allow_pickle=False) as data:
            inputs, labels = data["inputs"], data.get("labels", None)
    except (OSError, ValueError, KeyError) as error:
        raise StepFailure(
            category="input", message=f"samples is no npz file with an array `inputs`: {error}"
        ) from error
    wanted = shape[1:]
    if inputs.ndim < 2 or int(np.prod(inputs.shape[1:])) != int(np.prod(wanted)):
        raise StepFailure(
            category="input", message=f"samples: frames of {inputs.shape[1:]}, the model takes {wanted}"
        )
    inputs = inputs.reshape(len(inputs), *wanted)
    low, high = inputs.min(), inputs.max()
    if not np.equal(np.mod(inputs, 1), 0).all() or low < datatype.min() or high > datatype.max():
        raise StepFailure(
            category="input", message=f"samples: values from {low} to {high}; the model takes {datatype.name}"
        )
    return inputs.astype(np.int64), labels


def make_reference(model_path: Path, samples: Path | None, count: int, out: Path) -> dict[str, Any]:
    """Write inputs.npy, outputs.npy (int64) and, where given, labels.npy. Raises StepFailure (input, unsupported)."""
    import numpy as np
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    model = ModelWrapper(str(model_path))
    taken, given = model.graph.input[0].name, model.graph.output[0].name
    datatype = model.get_tensor_datatype(taken)
    if not datatype.is_integer():
        raise StepFailure(category="unsupported", message=f"the model takes {datatype.name}: hardware takes integers")
    inputs, labels = _samples(samples, count, model.get_tensor_shape(taken), datatype)
    outputs = []
    for frame in inputs:
        result = execute_onnx(model, {taken: frame[None].astype(np.float32)})[given]
        if not np.equal(np.mod(result, 1), 0).all():
            raise StepFailure(category="unsupported", message="the model gives fractions: hardware gives integers")
        outputs.append(result[0].astype(np.int64))
    np.save(out / "inputs.npy", inputs.astype(np.int64))
    np.save(out / "outputs.npy", np.stack(outputs))
    if labels is not None:
        np.save(out / "labels.npy", labels.astype(np.int64))
    return {"frames": len(inputs), "labelled": labels is not None}
