"""Outputs of a model before and after a mend, on drawn frames."""

from __future__ import annotations

import copy
from typing import Any

from bskernel_executors.quality.samples import draw_frames

FRAMES = 2  # per frame of the model's batch
_RELATIVE, _ABSOLUTE = 1e-4, 1e-6  # of a frame's largest output, as when stages are evaluated


class NotExecutable(Exception):  # noqa: N818 - a finding, not a fault
    """The model before the mend cannot be executed."""


def count_differing(before: Any, after: Any) -> tuple[int, int]:
    """Execute two onnx.ModelProtos and return how many frames differ, and of how many.

    If `after` takes one frame and `before` a batch, each frame of the batch is executed by itself. What `after`
    cannot compute differs. Raises NotExecutable if `before` cannot be executed.
    """
    try:
        first = _Executable(before)
        batches = [first.draw(seed, after) for seed in range(FRAMES)]
        expected = [first.run(batch) for batch in batches]
    except Exception as error:  # whatever the reason, there is nothing to compare with
        raise NotExecutable(str(error).partition("\n")[0]) from error
    try:
        second = _Executable(after)
    except Exception:  # noqa: BLE001 - whatever the reason, it computes nothing
        return FRAMES, FRAMES
    size = first.batch if second.batch == 1 else 1
    differing = 0
    for batch, wanted in zip(batches, expected, strict=True):
        for at in range(size):
            part = slice(at, at + 1) if size > 1 else slice(None)
            frame = {name: values[part] for name, values in batch.items()}
            differing += not _agrees(second, frame, [values[part] for values in wanted])
    return differing, FRAMES * size


def _agrees(model: _Executable, frame: dict[str, Any], wanted: list[Any]) -> bool:
    import numpy as np

    try:
        found = model.run(frame)
    except Exception:  # noqa: BLE001 - whatever the reason, it computes something else
        return False
    return all(
        one.size == other.size and np.allclose(one.ravel(), other.ravel(), 0, _RELATIVE * _largest(one) + _ABSOLUTE)
        for one, other in zip(wanted, found, strict=True)
    )


def _largest(values: Any) -> float:
    import numpy as np

    return float(np.abs(values).max(initial=0.0))


class _Executable:
    """A model with inferred shapes, executed node by node by qonnx."""

    def __init__(self, model: Any) -> None:
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.transformation.general import SortGraph
        from qonnx.transformation.infer_shapes import InferShapes

        copied = copy.deepcopy(model)
        _fix_batch(copied)
        self._model: Any = ModelWrapper(copied).transform(InferShapes()).transform(SortGraph())
        constants = {tensor.name for tensor in self._model.graph.initializer}
        self._inputs = [value for value in self._model.graph.input if value.name not in constants]
        self.batch: int = self._model.get_tensor_shape(self._inputs[0].name)[0]

    def draw(self, seed: int, typed: Any) -> dict[str, Any]:
        """Draw values of the data types that the other onnx.ModelProto states, in the shapes of this model."""
        drawn = {}
        for value in self._inputs:
            datatype = _find_datatype(typed, value.name)
            frame = draw_frames(seed + 1, tuple(self._model.get_tensor_shape(value.name)), datatype)[seed]
            drawn[value.name] = 4 * frame - 2 if datatype.name == "FLOAT32" else frame  # of either sign
        return drawn

    def run(self, inputs: dict[str, Any]) -> list[Any]:
        """Execute one call. An input may have another rank than the model's, as long as it has as many values."""
        from onnx import helper
        from qonnx.core.onnx_exec import execute_onnx

        given = {
            value.name: inputs[value.name]
            .reshape(self._model.get_tensor_shape(value.name))
            .astype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
            for value in self._inputs
        }
        return list(execute_onnx(self._model, given).values())


def _fix_batch(model: Any) -> None:
    """Let a model of a dynamic batch take one frame."""
    dynamic = False
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if dims and dims[0].dim_value < 1:
            dims[0].dim_value, dynamic = 1, True
    if dynamic:
        del model.graph.value_info[:]
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")


def _find_datatype(model: Any, name: str) -> Any:
    """The annotated data type of an input, or that of its integers."""
    from onnx import helper
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper

    value = next(value for value in model.graph.input if value.name == name)
    stored = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return DataType[stored.name.upper()] if stored.kind in "iu" else ModelWrapper(model).get_tensor_datatype(name)
