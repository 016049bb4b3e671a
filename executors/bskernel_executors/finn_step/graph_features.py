"""What a network contains beside a chain of layers: forks, joins and special layers, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from bskernel_executors.finn_step.affine_moves import is_add_before_product

Features: TypeAlias = dict[str, tuple[str, ...]]  # feature -> names of its nodes

_JOINS = frozenset({"Add", "Concat", "Mul", "Sub"})
_INTEGER_LAYERS = frozenset({"Concat", "Conv", "ConvTranspose", "MatMul", "MaxPool"})


def _name(node: Any) -> str:
    return str(node.name or node.output[0])


def _attribute(node: Any, name: str) -> Any:
    return next((attribute for attribute in node.attribute if attribute.name == name), None)


def _variables(model: Any, node: Any) -> list[str]:
    return [name for name in node.input if name and model.get_initializer(name) is None]


def is_join(model: Any, node: Any) -> bool:
    """Does the node join branches: has it several inputs that are not constant?"""
    return node.op_type in _JOINS and len(_variables(model, node)) > 1


def is_fork(model: Any, node: Any) -> bool:
    """Do several nodes take what the node makes, or a node and the network's output?"""
    ends = {value.name for value in model.graph.output}
    return any(len(model.find_consumers(name)) + (name in ends) > 1 for name in node.output)


def _takes_fractions(model: Any, node: Any) -> bool:
    return not all(model.get_tensor_datatype(name).is_integer() for name in _variables(model, node))


def _has_groups(model: Any, node: Any, *, depthwise: bool) -> bool:
    lowered = _attribute(node, "depthwise") if node.op_type == "Im2Col" else None
    if lowered is not None and lowered.i:
        return depthwise
    group = _attribute(node, "group")
    if node.op_type != "Conv" or group is None or group.i == 1:
        return False
    channels, outputs = (model.get_tensor_shape(name)[1] for name in (node.input[0], node.output[0]))
    return (group.i == channels == outputs) is depthwise


def _joins_of_nodes(model: Any, kind: str) -> tuple[Any, ...]:
    """The joins of a kind, or none if one takes the network's input: FINN's transformations of joins fail there."""
    joins = tuple(node for node in model.graph.node if node.op_type == kind and is_join(model, node))
    inputs = {name for node in joins for name in _variables(model, node)}
    return () if any(model.find_producer(name) is None for name in inputs) else joins


def _operators(*kinds: str) -> Callable[[Any], Iterator[Any]]:
    return lambda model: (node for node in model.graph.node if node.op_type in kinds)


def _is_scale_before_fork(model: Any, node: Any) -> bool:
    """Is it a constant factor or summand that a layer takes, which must be on integers, and another node too?"""
    if node.op_type not in ("Add", "Mul") or len(_variables(model, node)) != 1 or not is_fork(model, node):
        return False
    return any(item.op_type in _INTEGER_LAYERS for item in model.find_consumers(node.output[0]))


_FINDERS: dict[str, Callable[[Any], Any]] = {
    "forks": lambda model: (node for node in model.graph.node if is_fork(model, node)),
    "scales before forks": lambda model: (node for node in model.graph.node if _is_scale_before_fork(model, node)),
    "biases between layers": lambda model: (node for node in model.graph.node if is_add_before_product(model, node)),
    "joins": lambda model: (node for node in model.graph.node if is_join(model, node)),
    "added branches": lambda model: _joins_of_nodes(model, "Add"),
    "multiplied branches": lambda model: _joins_of_nodes(model, "Mul"),
    "concatenated branches": lambda model: _joins_of_nodes(model, "Concat"),
    "depthwise convolutions": lambda model: (
        node for node in model.graph.node if _has_groups(model, node, depthwise=True)
    ),
    "grouped convolutions": lambda model: (
        node for node in model.graph.node if _has_groups(model, node, depthwise=False)
    ),
    "transposed convolutions": _operators("ConvTranspose"),
    "resizes": _operators("Resize", "Upsample"),
    "quantized average pools": _operators("QuantAvgPool2d"),
    "global average pools": _operators("GlobalAveragePool"),
    "max pools of fractions": lambda model: (
        node for node in model.graph.node if node.op_type == "MaxPool" and _takes_fractions(model, node)
    ),
    "transposes": _operators("Transpose"),
    "splits": _operators("Split"),
}
NAMES = frozenset(_FINDERS)


def find_features(model: Any) -> Features:
    """Find the features of a model (qonnx's ModelWrapper, with shapes and data types)."""
    found = {name: tuple(_name(node) for node in find(model)) for name, find in _FINDERS.items()}
    return {name: nodes for name, nodes in found.items() if nodes}


def has_feature(model: Any, name: str) -> bool:
    """Does the model have the feature?"""
    return next(iter(_FINDERS[name](model)), None) is not None
