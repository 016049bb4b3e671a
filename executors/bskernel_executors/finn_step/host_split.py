"""Split a network: integer hardware computes its middle, the host computes its head and tail."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.exchange.host_split import HostNode, HostSplit, HostTensor
from bskernel_executors.finn_step.stitch_check import refuse_wrong_ends
from bskernel_executors.sdk import StepFailure

_SHAPES = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_SCALES = frozenset({"Add", "Div", "Mul", "Sub"})
_SCORES = frozenset({"ArgMax", "LogSoftmax", "Sigmoid", "Softmax", "TopK"})


def _variable_inputs(model: Any, node: Any) -> list[str]:
    """Return the inputs of a node that are not constant."""
    return [name for name in node.input if name and model.get_initializer(name) is None]


def _takes_integers(model: Any, node: Any) -> bool:
    return all(model.get_tensor_datatype(name).is_integer() for name in _variable_inputs(model, node))


def _stays_at_the_end(model: Any, node: Any) -> bool:
    """Whether the host computes a node with whose results hardware does nothing more."""
    if len(_variable_inputs(model, node)) == 1 and node.op_type in _SHAPES | _SCALES | _SCORES:
        return True
    return not _takes_integers(model, node)


def find_tail(model: Any) -> list[Any]:
    """Return the nodes at the end of a sorted model that stay on the host. They may fork and join."""
    tail: list[Any] = []
    taken: set[str] = set()  # by nodes that are not of the tail
    for node in reversed(model.graph.node):
        if _stays_at_the_end(model, node) and not taken & set(node.output):
            tail.insert(0, node)
        else:
            taken |= set(node.input)
    return tail


def find_head(model: Any, nodes: Sequence[Any]) -> list[Any]:
    """Return those of `nodes`, sorted, that stay on the host as a chain that begins at the model's input."""
    current = model.graph.input[0].name
    head: list[Any] = []
    for node in nodes:
        consumers = [other for other in nodes if current in other.input]
        is_chain = len(consumers) == 1 and _variable_inputs(model, node) == [current]
        if not is_chain or (_takes_integers(model, node) and node.op_type not in _SHAPES | _SCALES):
            break
        head.append(node)
        current = node.output[0]
    return head


def _extract(model: Any, kept: Sequence[Any], taken: str, given: Sequence[str]) -> Any:
    """Make a model of some nodes, with the input `taken` and the outputs `given`."""
    from qonnx.transformation.general import RemoveUnusedTensors

    part = copy.deepcopy(model)
    outputs = {node.output[0] for node in kept}
    for node in [node for node in part.graph.node if node.output[0] not in outputs]:
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


def _require_one_tensor(model: Any, tail: Sequence[Any], body: Sequence[Any]) -> str:
    """Return the tensor that the tail takes from the accelerator. Raises StepFailure (kernel) if it takes others."""
    made = {name for node in tail for name in node.output}
    taken = list(dict.fromkeys(name for node in tail for name in _variable_inputs(model, node) if name not in made))
    given = {name for node in body for name in node.output}
    if len(taken) == 1 and taken[0] in given:
        return taken[0]
    names = [f"{name} ({'of the accelerator' if name in given else 'known to the host'})" for name in taken]
    fractions = [node for node in tail if not _takes_integers(model, node)]
    raise StepFailure(
        category="kernel",
        message=f"the host has to compute the network's end, but that does not take one tensor of the "
        f"accelerator alone: {', '.join(names)}",
        hint="quantize what the last nodes take, so that hardware computes them, or export the network without them",
        cause=(f"nodes that take fractions: {_name_nodes(fractions)}",) if fractions else (),
    )


def _name_nodes(nodes: Sequence[Any]) -> str:
    return ", ".join(f"{node.name} ({node.op_type})" for node in nodes[:8])


def split_host(model: Any, out: Path) -> tuple[Any, HostSplit]:
    """Return the accelerator's part of a streamlined model; write the host's parts and host.json into `out`.

    Raises StepFailure (kernel) when no layer takes integers, for several inputs or outputs, and for an end with
    fractions that takes more than one tensor.
    """
    from qonnx.transformation.general import SortGraph

    refuse_wrong_ends(model)
    model = model.transform(SortGraph())
    nodes = list(model.graph.node)
    tail = find_tail(model)
    at_the_end = {node.output[0] for node in tail}
    front = [node for node in nodes if node.output[0] not in at_the_end]
    head = find_head(model, front)
    body = front[len(head) :]
    if not body:
        raise StepFailure(
            category="kernel",
            message="no layer is left for the accelerator, because none takes integers",
            hint="quantize the network's activations, or annotate the input with its integer type",
            cause=(f"nodes: {_name_nodes(nodes)}",),
        )
    taken = _variable_inputs(model, body[0])[0]
    ends = [tensor.name for tensor in model.graph.output]
    given = _require_one_tensor(model, tail, body) if tail else ends[0]
    accelerator = _extract(model, body, taken, [given])
    if head:
        _extract(model, head, model.graph.input[0].name, [taken]).save(str(out / "head.onnx"))
    if tail:
        _extract(model, tail, given, ends).save(str(out / "tail.onnx"))
    split = HostSplit(
        head=tuple(HostNode(name=node.name, kind=node.op_type) for node in head),
        tail=tuple(HostNode(name=node.name, kind=node.op_type) for node in tail),
        accelerator_input=_describe_tensor(accelerator, taken),
        accelerator_output=_describe_tensor(accelerator, given),
    )
    (out / "host.json").write_text(pretty_json(split), encoding="utf-8")
    return accelerator, split
