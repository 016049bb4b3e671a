"""Tensors that a model keeps in other files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from bskernel_executors.sdk import StepFailure


def load_external_data(model: Any, folders: Sequence[Path]) -> None:
    """Put the external data of an onnx.ModelProto into it, each file from the first folder that has it.

    Raises StepFailure (model_load) for a file that is missing, too short or outside the folder.
    """
    from onnx import TensorProto, external_data_helper

    for tensor in _list_tensors(model.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        location = external_data_helper.ExternalDataInfo(tensor).location
        name = PurePosixPath(location)
        folder = next((folder for folder in folders if (folder / name).is_file()), None)
        if folder is None or name.is_absolute() or ".." in name.parts:
            raise StepFailure(
                category="model_load",
                message=f"the model keeps {tensor.name!r} in the file {location!r}, which is not beside it",
                hint="put the file beside the model, under this name, or export with external_data = False",
            )
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
            size = len(tensor.raw_data)
        except (OSError, ValueError) as error:
            raise _damaged(tensor, location) from error
        if size != _expected_size(tensor):
            raise _damaged(tensor, location)
        tensor.data_location = TensorProto.DEFAULT
        tensor.ClearField("external_data")


def _damaged(tensor: Any, location: str) -> StepFailure:
    return StepFailure(
        category="model_load",
        message=f"the file {location!r} does not hold the whole of {tensor.name!r}",
        hint="copy the file again: it belongs to another export, or is cut off",
    )


def _expected_size(tensor: Any) -> int:
    from onnx import TensorProto, helper

    count = math.prod(int(size) for size in tensor.dims)
    if tensor.data_type in {TensorProto.INT4, TensorProto.UINT4}:
        return -(-count // 2)
    return int(count * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _list_tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
