"""Read a model and check that a build can start from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bskernel_executors.sdk import StepFailure


def read_model(path: Path) -> Any:
    """Read a model as a ModelWrapper. Raises StepFailure (model_load)."""
    import onnx
    from google.protobuf.message import DecodeError
    from qonnx.core.modelwrapper import ModelWrapper

    try:
        proto = onnx.load_model_from_string(path.read_bytes())
    except DecodeError as error:
        raise StepFailure(
            category="model_load",
            message="the model is not an ONNX file, or is damaged",
            hint="check it with onnx.checker, or export it again",
        ) from error
    if not proto.graph.node or not proto.opset_import:
        what = "no nodes" if not proto.graph.node else "no opset"
        raise StepFailure(category="model_load", message=f"the model has {what}: it is empty or damaged")
    constants = {initializer.name for initializer in proto.graph.initializer}
    if all(value.name in constants for value in proto.graph.input):
        raise StepFailure(category="model_load", message="the model has no input")
    return ModelWrapper(proto)


def check_model(model: Any, shape: tuple[int, ...] | None, datatype: str | None) -> None:
    """Compare the first input with the expected shape and data type. Raises StepFailure (model_load) with both."""
    name = model.graph.input[0].name
    found = model.get_tensor_shape(name)
    if not found or any(size < 1 for size in found):
        raise StepFailure(
            category="model_load",
            message=f"input {name!r} has the shape {found}, but every dimension must be known",
            hint="export the model with fixed shapes, or set override_input_size",
        )
    if shape is not None and tuple(found) != shape:
        raise StepFailure(
            category="model_load", message=f"input {name!r} has the shape {list(found)}, not {list(shape)}"
        )
    have = model.get_tensor_datatype(name).name
    if datatype is not None and have != datatype:
        raise StepFailure(category="model_load", message=f"input {name!r} has the data type {have}, not {datatype}")
