"""What stays on the host: the head and the tail of a network that hardware of integers does not compute."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.sdk import StepFailure

_SHAPES = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_SCALES = frozenset({"Add", "Div", "Mul", "Sub"})
_SCORES = frozenset({"ArgMax", "LogSoftmax", "Sigmoid", "Softmax", "TopK"})


class Tensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tensor at a border."""

    name: str
    shape: tuple[int, ...]
    datatype: str


class HostNode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node that the host computes."""

    name: str
    kind: str


class Split(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """host.json: head.onnx runs before the accelerator, tail.onnx after it; no file where there are no nodes."""

    head: tuple[HostNode, ...]
    tail: tuple[HostNode, ...]
    accelerator_input: Tensor
    accelerator_output: Tensor


def _streams(model: Any, node: Any) -> list[str]:
    """The inputs of a node that are no constants."""
    return [name for name in node.input if name and model.get_initializer(name) is None]


def _takes_integers(model: Any, node: Any) -> bool:
    return all(model.get_tensor_datatype(name).is_integer() for name in _streams(model, node))


def head_length(model: Any) -> int:
    """How many nodes of a model in topological order, from its first, stay on the host."""
    current = model.graph.input[0].name
    for at, node in enumerate(model.graph.node):
        alone = len(model.find_consumers(current)) == 1 and _streams(model, node) == [current]
        if not alone or (_takes_integers(model, node) and node.op_type not in _SHAPES | _SCALES):
            return at
        current = node.output[0]
    return len(model.graph.node)


def tail_length(model: Any) -> int:
    """How many nodes, from the last, stay on the host."""
    for at, node in enumerate(reversed(model.graph.node)):
        if node.op_type not in _SHAPES | _SCALES | _SCORES or len(_streams(model, node)) != 1:
            return at
    return len(model.graph.node)


def _part(model: Any, first: int, last: int, taken: str, given: Sequence[str]) -> Any:
    """A model of the nodes from `first` to before `last`, with its own input and outputs."""
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


def _tensor(model: Any, name: str) -> Tensor:
    shape = tuple(int(size) for size in model.get_tensor_shape(name))
    return Tensor(name=name, shape=shape, datatype=model.get_tensor_datatype(name).name)


def split_host(model: Any, out: Path) -> tuple[Any, Split]:
    """The accelerator's part of a streamlined model; the host's parts and host.json go to `out`.

    Raises StepFailure (kernel) when no layer takes integers.
    """
    from qonnx.transformation.general import SortGraph

    model = model.transform(SortGraph())
    nodes = list(model.graph.node)
    first, last = head_length(model), len(nodes) - tail_length(model)
    if first >= last:
        names = ", ".join(f"{node.name} ({node.op_type})" for node in nodes[:8])
        raise StepFailure(
            category="kernel",
            message="no layer is left for the accelerator: none takes integers",
            hint="quantize the network's activations, or annotate the input with its integer type",
            cause=(f"nodes: {names}",),
        )
    taken = _streams(model, nodes[first])[0]
    given = nodes[last - 1].output[0]
    ends = [tensor.name for tensor in model.graph.output]
    body = _part(model, first, last, taken, [given] if last < len(nodes) else ends)
    if first:
        _part(model, 0, first, model.graph.input[0].name, [taken]).save(str(out / "head.onnx"))
    if last < len(nodes):
        _part(model, last, len(nodes), given, ends).save(str(out / "tail.onnx"))
    split = Split(
        head=tuple(HostNode(name=node.name, kind=node.op_type) for node in nodes[:first]),
        tail=tuple(HostNode(name=node.name, kind=node.op_type) for node in nodes[last:]),
        accelerator_input=_tensor(body, taken),
        accelerator_output=_tensor(body, given),
    )
    (out / "host.json").write_text(pretty_json(split), encoding="utf-8")
    return body, split
