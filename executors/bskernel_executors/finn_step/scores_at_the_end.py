"""Keep scores at a network's end for the host: FINN computes a sigmoid by polynomials, so its results differ."""

from __future__ import annotations

import copy
from typing import Any

APPROXIMATED = frozenset({"Erf", "Gelu", "Sigmoid", "Tanh"})


def _variables(model: Any, node: Any) -> list[str]:
    return [name for name in node.input if name and model.get_initializer(name) is None]


def find_scores(model: Any) -> list[Any]:
    """Find the nodes from an approximated function to the network's only output; none if other nodes need them."""
    if len(model.graph.output) != 1:
        return []
    chain: list[Any] = []
    name = model.graph.output[0].name
    for _ in range(len(model.graph.node)):
        node = model.find_producer(name)
        taken = _variables(model, node) if node is not None else []
        if node is None or len(taken) != 1 or len(model.find_consumers(name)) > 1:
            return []
        chain.insert(0, node)
        if node.op_type in APPROXIMATED:
            return chain
        name = taken[0]
        if model.get_tensor_datatype(name).is_integer():
            return []
    return []


class HeldScores:
    """Nodes at a model's end, taken out of it while hardware layers are made, and put back behind them."""

    def __init__(self, model: Any) -> None:
        self.nodes = [copy.deepcopy(node) for node in find_scores(model)]
        self._output = copy.deepcopy(model.graph.output[0]) if self.nodes else None
        if not self.nodes:
            return
        first = _variables(model, self.nodes[0])[0]
        info = copy.deepcopy(model.get_tensor_valueinfo(first))
        for node in find_scores(model):
            model.graph.node.remove(node)
        del model.graph.output[:]
        model.graph.output.append(info)
        for value in [value for value in model.graph.value_info if value.name == first]:
            model.graph.value_info.remove(value)

    def put_back(self, model: Any) -> Any:
        """Put the nodes back behind the model's output."""
        if self._output is None:
            return model
        taken = model.graph.output[0]
        self.nodes[0].input[0] = taken.name
        model.graph.node.extend(self.nodes)
        del model.graph.output[:]
        model.graph.value_info.append(taken)
        model.graph.output.append(self._output)
        return model
