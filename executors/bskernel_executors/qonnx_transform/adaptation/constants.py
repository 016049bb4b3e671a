"""Constants of a graph: initializers, and the tensors of Constant nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Constants:
    """The constants of an onnx.GraphProto by name, read and replaced where they are."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and not node.domain:
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self._tensors[node.output[0]] = attribute.t
        self._uses = Counter(name for node in graph.node for name in node.input)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def tensor(self, name: str) -> Any:
        """Return the TensorProto of a constant, or None."""
        return self._tensors.get(name)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of a constant, or None."""
        tensor = self._tensors.get(name)
        return None if tensor is None else tuple(tensor.dims)

    def read(self, name: str) -> Any:
        """Return the constant as a NumPy array, or None."""
        from onnx import numpy_helper

        tensor = self._tensors.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def replace(self, node: Any, at: int, values: Any, name: str) -> None:
        """Give input `at` of a node other values. If other nodes read the constant too, the node gets its own."""
        from onnx import numpy_helper

        old = node.input[at]
        made = numpy_helper.from_array(values, old)
        if old in self._tensors and self._uses[old] == 1:
            info = next((item for item in self._graph.value_info if item.name == old), None)
            if info is not None:
                self._graph.value_info.remove(info)
            self._tensors[old].CopyFrom(made)
            return
        made.name = node.input[at] = name
        self._uses[old] -= 1
        self._uses[name] += 1
        self._graph.initializer.append(made)
        self._tensors[name] = self._graph.initializer[-1]
