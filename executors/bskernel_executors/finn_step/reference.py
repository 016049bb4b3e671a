"""What Python computes for given frames: the truth that a simulation is held to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from bskernel_executors.sdk import StepFailure, parameter


class ReferenceParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `reference`."""

    random_frames: Annotated[int, parameter("frames to draw where no samples are given", unit="frames")] = 32


class _Model:
    """A model with one input and one output, executed frame by frame."""

    def __init__(self, path: Path) -> None:
        from qonnx.core.modelwrapper import ModelWrapper

        self._model: Any = ModelWrapper(str(path))
        self._taken = self._model.graph.input[0].name
        self.shape: list[int] = self._model.get_tensor_shape(self._taken)
        self.datatype: Any = self._model.get_tensor_datatype(self._taken)
        given = [tensor.name for tensor in self._model.graph.output]
        last = self._model.graph.node[-1]
        # TopK gives the values first, and then where they are.
        self.ranks = last.op_type in {"TopK", "ArgMax"} and last.output[-1] in given
        self._given = last.output[-1] if self.ranks else given[0]

    def run(self, frames: Any) -> Any:
        """Outputs of shape (N, ...) of frames (N, ...)."""
        import numpy as np
        from qonnx.core.onnx_exec import execute_onnx

        shaped = frames.reshape(len(frames), *self.shape).astype(np.float32)
        return np.stack([execute_onnx(self._model, {self._taken: frame})[self._given] for frame in shaped])


def _draw(count: int, model: _Model) -> Any:
    import numpy as np

    if not model.datatype.is_integer():
        raise StepFailure(
            category="kernel",
            message=f"the model takes {model.datatype.name}: hardware takes integers",
            hint="run split_host before: it leaves to the host what takes fractions",
        )
    draw = np.random.default_rng(0)
    low, high = int(model.datatype.min()), int(model.datatype.max())
    return draw.integers(low, high, (count, *model.shape), endpoint=True)


def _samples(path: Path, model: _Model) -> tuple[Any, Any]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as data:
            inputs, labels = data["inputs"], data.get("labels", None)
    except (OSError, ValueError, KeyError) as error:
        raise StepFailure(
            category="config", message=f"samples is no npz file with an array `inputs`: {error}"
        ) from error
    if inputs.ndim < 2 or not len(inputs) or int(np.prod(inputs.shape[1:])) != int(np.prod(model.shape)):
        raise StepFailure(
            category="config",
            message=f"samples: {len(inputs)} frames of {inputs.shape[1:]}, the model takes {model.shape[1:]}",
        )
    if labels is not None and labels.shape != (len(inputs),):
        raise StepFailure(
            category="config", message=f"samples: labels of shape {labels.shape} for {len(inputs)} frames"
        )
    if model.datatype.is_integer():
        low, high = inputs.min(), inputs.max()
        fits = low >= model.datatype.min() and high <= model.datatype.max()
        if not fits or not np.equal(np.mod(inputs, 1), 0).all():
            raise StepFailure(
                category="config",
                message=f"samples: values from {low} to {high}; the model takes {model.datatype.name}",
            )
    return inputs, labels


def _integers(values: Any, what: str) -> Any:
    import numpy as np

    if not np.equal(np.mod(values, 1), 0).all():
        raise StepFailure(
            category="kernel",
            message=f"{what} gives fractions: hardware takes and gives integers",
            hint="run split_host before: it leaves to the host what gives fractions",
        )
    return values.astype(np.int64)


def make_reference(model: Path, host: Path | None, samples: Path | None, count: int, out: Path) -> dict[str, Any]:
    """Write inputs.npy and outputs.npy (int64) at the accelerator's borders; with labels, those and predictions.npy.

    Samples go through the host's head, the outputs through its tail; a prediction is the place of the largest value.
    Raises StepFailure (config, kernel).
    """
    import numpy as np

    body = _Model(model)
    head, tail = (
        _Model(path) if host is not None and (path := host / name).exists() else None
        for name in ("head.onnx", "tail.onnx")
    )
    labels = None
    if samples is None:
        inputs = _draw(count, body)
    else:
        given, labels = _samples(samples, head or body)
        inputs = _integers(given if head is None else head.run(given), "the host's head")
    outputs = _integers(body.run(inputs), "the model")
    np.save(out / "inputs.npy", inputs.reshape(len(inputs), *body.shape[1:]))
    np.save(out / "outputs.npy", outputs.reshape(len(outputs), *outputs.shape[2:]))
    facts: dict[str, Any] = {"frames": len(inputs), "labelled": labels is not None}
    if labels is not None:
        final = outputs if tail is None else tail.run(outputs)
        flat = final.reshape(len(final), -1)
        predictions = flat[:, 0] if tail is not None and tail.ranks else flat.argmax(axis=1)
        np.save(out / "labels.npy", labels.astype(np.int64))
        np.save(out / "predictions.npy", predictions.astype(np.int64))
    return facts
