"""Split a network: integer hardware computes its middle, the host computes its head and tail."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.exchange.host_split import HostNode, HostSplit, HostTensor
from bskernel_executors.sdk import StepFailure

_SHAPES = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_SCALES = frozenset({"Add", "Div", "Mul", "Sub"})
_SCORES = frozenset({"ArgMax", "LogSoftmax", "Sigmoid", "Softmax", "TopK"})


def _variable_inputs(model: Any, node: Any) -> list[str]:
    """Return the inputs of a node that are not constant."""
    return [name for name in node.input if name and model.get_initializer(name) is None]


def _takes_integers(model: Any, node: Any) -> bool:
    return all(model.get_tensor_datatype(name).is_integer() for name in _variable_inputs(model, node))


def count_head(model: Any) -> int:
    """Count the nodes at the start of a sorted model that stay on the host."""
    current = model.graph.input[0].name
    for at, node in enumerate(model.graph.node):
        is_chain = len(model.find_consumers(current)) == 1 and _variable_inputs(model, node) == [current]
        if not is_chain or (_takes_integers(model, node) and node.op_type not in _SHAPES | _SCALES):
            return at
        current = node.output[0]
    return len(model.graph.node)


def count_tail(model: Any) -> int:
    """Count the nodes at the end of a sorted model that stay on the host."""
    for at, node in enumerate(reversed(model.graph.node)):
        if node.op_type not in _SHAPES | _SCALES | _SCORES or len(_variable_inputs(model, node)) != 1:
            return at
    return len(model.graph.node)


def _extract(model: Any, first: int, last: int, taken: str, given: Sequence[str]) -> Any:
    """Make a model of nodes[first:last], with the input `taken` and the outputs `given`."""
    from qonnx.transformation.general import RemoveUnusedTensors

    part = copy.deepcopy(model)
    nodes = list(part.graph.node)
    for node in nodes[:first] + nodes[last:]:
        part.graph.node.remove(node)
    for field, names in ((part.graph.input, [taken]), (part.graph.output, given)):
        infos = [copy.deepcopy(part.get_tensor_valueinfo(name)) for name in names]
        del field[:]
        field.extend(infos)
    borders = {taken, *given}
    for info in [info for info in part.graph.value_info if info.name in borders]:
        part.graph.value_info.remove(info)
    return part.transform(RemoveUnusedTensors())


def _describe_tensor(model: Any, name: str) -> HostTensor:
    shape = tuple(int(size) for size in model.get_tensor_shape(name))
    return HostTensor(name=name, shape=shape, datatype=model.get_tensor_datatype(name).name)


def require_one_output(model: Any) -> None:
    """Raise StepFailure (kernel) for a network with several outputs: the simulated design has one stream of them."""
    names = [item.name for item in model.graph.output]
    if len(names) > 1:
        raise StepFailure(
            category="kernel",
            message=f"the network has {len(names)} outputs ({', '.join(names)}), but a simulated design has one",
            hint='build.flow = "estimate" or "codegen" takes it',
        )


def split_host(model: Any, out: Path) -> tuple[Any, HostSplit]:
    """Return the accelerator's part of a streamlined model; write the host's parts and host.json into `out`.

    Raises StepFailure (kernel) when no layer takes integers, and for several outputs.
    """
    from qonnx.transformation.general import SortGraph

    require_one_output(model)
    model = model.transform(SortGraph())
    nodes = list(model.graph.node)
    first, last = count_head(model), len(nodes) - count_tail(model)
    if first >= last:
        names = ", ".join(f"{node.name} ({node.op_type})" for node in nodes[:8])
        raise StepFailure(
            category="kernel",
            message="no layer is left for the accelerator, because none takes integers",
            hint="quantize the network's activations, or annotate the input with its integer type",
            cause=(f"nodes: {names}",),
        )
    taken = _variable_inputs(model, nodes[first])[0]
    given = nodes[last - 1].output[0]
    ends = [tensor.name for tensor in model.graph.output]
    body = _extract(model, first, last, taken, [given] if last < len(nodes) else ends)
    if first:
        _extract(model, 0, first, model.graph.input[0].name, [taken]).save(str(out / "head.onnx"))
    if last < len(nodes):
        _extract(model, last, len(nodes), given, ends).save(str(out / "tail.onnx"))
    split = HostSplit(
        head=tuple(HostNode(name=node.name, kind=node.op_type) for node in nodes[:first]),
        tail=tuple(HostNode(name=node.name, kind=node.op_type) for node in nodes[last:]),
        accelerator_input=_describe_tensor(body, taken),
        accelerator_output=_describe_tensor(body, given),
    )
    (out / "host.json").write_text(pretty_json(split), encoding="utf-8")
    return body, split
