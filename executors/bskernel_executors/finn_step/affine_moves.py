"""Moves of constant factors and summands that FINN does not have, for recipes. Each keeps what the model computes."""

from __future__ import annotations

import copy
from typing import Any

_MOVABLE = frozenset({"Add", "Mul", "Transpose"})


def separate_outputs(model: Any) -> Any:
    """Where the network's output is also read by layers, compute the last factor, summand or order twice.

    FINN moves such a node past a fork to several nodes, but not past one to a node and the network's output.
    """
    ends = {item.name for item in model.graph.output}
    for node in list(model.graph.node):
        readers = model.find_consumers(node.output[0])
        constants = [name for name in node.input if model.get_initializer(name) is not None]
        movable = node.op_type in _MOVABLE and len(node.input) - len(constants) == 1
        if not movable or node.output[0] not in ends or not readers:
            continue
        inner = model.make_new_valueinfo_name()
        model.set_tensor_shape(inner, model.get_tensor_shape(node.output[0]))
        model.set_tensor_datatype(inner, model.get_tensor_datatype(node.output[0]))
        twin = copy.deepcopy(node)
        twin.name, twin.output[0] = f"{node.name}_inner", inner
        model.graph.node.insert(list(model.graph.node).index(node) + 1, twin)
        for reader in readers:
            reader.input[:] = [inner if name == node.output[0] else name for name in reader.input]
    return model


def move_adds_past_products(model: Any) -> Any:
    """Move a bias that stands between two layers past the second one: (x + b) W becomes x W + b W.

    FINN does it for convolutions and scalars. Without a quantizer between the layers no threshold can take the bias.
    """
    import numpy as np

    for node in list(model.graph.node):
        if not is_add_before_product(model, node):
            continue
        (product,) = model.find_consumers(node.output[0])
        at = next(at for at, name in enumerate(node.input) if model.get_initializer(name) is not None)
        bias, weights = (model.get_initializer(name) for name in (node.input[at], product.input[1]))
        shape = model.get_tensor_shape(node.output[0])
        spread = np.broadcast_to(bias, (*[1] * (len(shape) - 1), shape[-1])).astype(np.float64)
        moved, made = model.make_new_valueinfo_name(), model.make_new_valueinfo_name()
        model.set_initializer(moved, (spread @ weights.astype(np.float64)).astype(np.float32))
        model.set_tensor_shape(made, model.get_tensor_shape(product.output[0]))
        product.input[0] = node.input[1 - at]
        model.graph.node.remove(node)
        node.input[:], node.output[0], product.output[0] = [made, moved], product.output[0], made
        model.graph.node.insert(list(model.graph.node).index(product) + 1, node)
    return model


def is_add_before_product(model: Any, node: Any) -> bool:
    """Is it a constant summand, alike for all rows, that only a product with constant weights takes?"""
    constants = [model.get_initializer(name) for name in node.input]
    if node.op_type != "Add" or sum(value is not None for value in constants) != 1:
        return False
    readers = model.find_consumers(node.output[0])
    if len(readers) != 1 or readers[0].op_type != "MatMul" or readers[0].input[0] != node.output[0]:
        return False
    if node.output[0] in {item.name for item in model.graph.output}:
        return False
    bias = next(value for value in constants if value is not None)
    return model.get_initializer(readers[0].input[1]) is not None and all(size == 1 for size in bias.shape[:-1])
