"""The batch: FINN's hardware takes one frame after the other, so the network is rebuilt for a single frame."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.constants import Constants
from bskernel_executors.qonnx_transform.adaptation.graph_inputs import list_inputs
from bskernel_executors.qonnx_transform.adaptation.names import list_tensors, unique_name
from bskernel_executors.qonnx_transform.adaptation.shapes import Shape, infer_shapes
from bskernel_executors.sdk import StepFailure

KIND = "batch"
_SHAPES = {"Reshape": 1, "Expand": 1, "Resize": 3}  # which input holds the shape of the output


def set_input_size(model: Any, size: Shape) -> list[Change]:
    """Give the first input another shape. Raises StepFailure (config) if its rank differs."""
    value = list_inputs(model.graph)[0]
    before = [_show(dim) for dim in value.type.tensor_type.shape.dim]
    if before == [str(size) for size in size]:
        return []
    if value.type.tensor_type.HasField("shape") and len(before) != len(size):
        raise StepFailure(
            category="config",
            message=f"override_input_size has {len(size)} dimensions, but input {value.name!r} has {len(before)}: "
            f"[{', '.join(before)}]",
            hint=f"give {len(before)} sizes, e.g. override_input_size = [1, ...]",
        )
    dims = value.type.tensor_type.shape.dim
    del dims[:]
    for number in size:
        dims.add(dim_value=number)
    _infer_again(model)
    return [
        Change(
            kind=KIND,
            names=(value.name,),
            before=f"shape [{', '.join(before)}]",
            after=str(list(size)),
            reason="the build sets override_input_size",
        )
    ]


def require_known_sizes(model: Any) -> None:
    """Raise StepFailure (model_load) for an input that has an unknown dimension besides its first one."""
    for value in list_inputs(model.graph):
        dims = value.type.tensor_type.shape.dim
        shown = ", ".join(_show(dim) for dim in dims)
        if not dims:
            raise StepFailure(
                category="model_load",
                message=f"the model does not state the shape of input {value.name!r}",
                hint=_hint("1, 3, 32, 32"),
            )
        unknown = [at for at, dim in enumerate(dims) if at and dim.dim_value < 1]
        if unknown:
            example = ", ".join(
                str(max(dim.dim_value, 1)) if at not in unknown else "32" for at, dim in enumerate(dims)
            )
            raise StepFailure(
                category="model_load",
                message=f"dimension {unknown[0]} ({_show(dims[unknown[0]])}) of input {value.name!r} is unknown: "
                f"its shape is [{shown}]",
                hint=_hint(example),
            )


def _hint(example: str) -> str:
    return (
        f"export the model with a fixed input shape, or set e.g. override_input_size = [{example}] under "
        "[parameters.qonnx-transform]"
    )


def mend_batch(model: Any) -> list[Change]:
    """Make the first dimension of each input 1, and with it the batch wherever else it is stated."""
    inputs = [value for value in list_inputs(model.graph) if value.type.tensor_type.shape.dim]
    changed = [value for value in inputs if value.type.tensor_type.shape.dim[0].dim_value != 1]
    changed = [value for value in changed if len(value.type.tensor_type.shape.dim) > 1]
    if not changed:
        return []
    before = ", ".join(dict.fromkeys(_show(value.type.tensor_type.shape.dim[0]) for value in changed))
    sizes = {value.type.tensor_type.shape.dim[0].dim_value for value in changed} - {0}
    for value in changed:
        dim = value.type.tensor_type.shape.dim[0]
        dim.Clear()
        dim.dim_value = 1
    reshaped = _change_reshapes(model.graph, sizes)
    _infer_again(model)
    return [
        Change(
            kind=KIND,
            names=(*(value.name for value in changed), *reshaped),
            before=f"a batch of {before}" if sizes else f"a dynamic batch ({before})",
            after="one frame",
            reason="hardware takes one frame after the other; throughput counts frames",
        )
    ]


def _change_reshapes(graph: Any, sizes: set[int]) -> list[str]:
    """Make the batch 1 in the shapes that Reshape, Expand and Resize give activations. Returns the nodes' names."""
    constants, taken = Constants(graph), list_tensors(graph)
    activations = {value.name for value in list_inputs(graph)}
    names = []
    for node in graph.node:
        if activations.isdisjoint(node.input):
            continue
        activations.update(name for name in node.output if name)
        at = _SHAPES.get(node.op_type)
        if at is None or node.domain or node.input[0] not in activations or len(node.input) <= at:
            continue
        shape = constants.read(node.input[at])
        if shape is not None and shape.size and int(shape[0]) in sizes:
            shape = shape.copy()
            shape[0] = 1
            constants.replace(node, at, shape, unique_name(f"{node.input[at]}_of_one_frame", taken))
            names.append(node.name)
    return names


def _infer_again(model: Any) -> None:
    """Forget shapes of the old size, and state those of the outputs as they are inferred now."""
    graph = model.graph
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    shapes = infer_shapes(model)
    for value in graph.output:
        for size in shapes.get(value.name, ()):
            value.type.tensor_type.shape.dim.add(dim_value=size)


def _show(dim: Any) -> str:
    return str(dim.dim_value) if dim.dim_value > 0 else dim.dim_param or "?"
