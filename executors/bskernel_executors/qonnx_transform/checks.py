"""Read a model and check that a build can start from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bskernel_executors.qonnx_transform.external_data import load_external_data
from bskernel_executors.qonnx_transform.structure import check_structure
from bskernel_executors.sdk import StepFailure

_NO_ONNX = "give the file that torch.onnx.export or Brevitas' export_qonnx wrote (.onnx), not a checkpoint (.pt)"


def read_model(path: Path, external_data: Path | None = None, *, untrusted: bool = False) -> Any:
    """Read a model as a ModelWrapper, with its external data from beside the file or from a folder.

    Of an untrusted model, one that no step has made, the structure is checked too. Raises StepFailure (model_load).
    """
    import onnx
    from google.protobuf.message import DecodeError
    from qonnx.core.modelwrapper import ModelWrapper

    try:
        proto = onnx.load_model_from_string(path.read_bytes())
    except DecodeError as error:
        raise StepFailure(
            category="model_load",
            message="the model is not an ONNX file, or is damaged",
            hint=_NO_ONNX,
        ) from error
    if not proto.ir_version or not proto.graph.ListFields():  # any bytes may be a message of unknown fields
        raise StepFailure(category="model_load", message="the model is not an ONNX file", hint=_NO_ONNX)
    if not proto.graph.node or not proto.opset_import:
        what = "no nodes" if not proto.graph.node else "no opset"
        raise StepFailure(category="model_load", message=f"the model has {what}: it is empty or damaged")
    if untrusted:
        check_structure(proto)
    load_external_data(proto, (path.parent, *((external_data,) if external_data is not None else ())))
    constants = {initializer.name for initializer in proto.graph.initializer}
    if all(value.name in constants for value in proto.graph.input):
        raise StepFailure(category="model_load", message="the model has no input")
    _state_types_once(proto.graph)
    return ModelWrapper(proto)


def _state_types_once(graph: Any) -> None:
    """Remove what value_info repeats of inputs, outputs and itself: qonnx takes one statement for each tensor."""
    seen = {item.name for item in (*graph.input, *graph.output)}
    for item in list(graph.value_info):
        if item.name in seen:
            graph.value_info.remove(item)
        seen.add(item.name)


def check_model(model: Any, shape: tuple[int, ...] | None, datatype: str | None) -> None:
    """Compare the first input with the expected shape and data type. Raises StepFailure (model_load) with both."""
    name = model.graph.input[0].name
    found = model.get_tensor_shape(name)
    if not found or any(size < 1 for size in found):
        raise StepFailure(
            category="model_load",
            message=f"input {name!r} has the shape {found}, but every dimension must be known",
            hint="export the model with fixed shapes, or set e.g. override_input_size = [1, 3, 32, 32] under "
            "[parameters.qonnx-transform]",
        )
    if shape is not None and tuple(found) != shape:
        raise StepFailure(
            category="model_load", message=f"input {name!r} has the shape {list(found)}, not {list(shape)}"
        )
    have = model.get_tensor_datatype(name).name
    if datatype is not None and have != datatype:
        raise StepFailure(category="model_load", message=f"input {name!r} has the data type {have}, not {datatype}")
