"""Convolutions and pools over one axis as ones over two: (N, C, L) becomes (N, C, 1, L).

FINN's layers take images. Every node that a tensor of rank 3 passes is rewritten to the rank 4 form; before a node
that is not known here, a Reshape gives it back its rank. Nothing is computed differently.
"""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.network_graph import (
    QUANTIZERS,
    NetworkGraph,
    attributes,
    set_attribute,
)

KIND = "two_dimensions"
_RANK = 3
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})
_GLOBAL = frozenset({"GlobalAveragePool", "GlobalMaxPool"})
_ELEMENTWISE = frozenset(
    {
        *(
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Relu",
            "LeakyRelu",
            "PRelu",
            "Sigmoid",
            "Tanh",
            "HardSigmoid",
            "HardSwish",
            "Selu",
        ),
        *("Elu", "Clip", "Identity", "Dropout", "BatchNormalization", "Quant", "IntQuant", "BipolarQuant", "Trunc"),
        *("Neg", "Abs", "Sign", "Pow", "Sqrt", "Exp", "Erf", "Gelu", "Min", "Max", "DebugMarker"),
    }
)
_ANCHORS = _CONVOLUTIONS | _POOLS
_AXIS = {0: 0, 1: 1, 2: 3}  # where an axis of (N, C, L) is in (N, C, 1, L)


def mend_rank(model: Any) -> list[Change]:
    """Rewrite the network, if it has a convolution or a pool over one axis."""
    network = NetworkGraph(model)
    anchors = [node.name for node in network.nodes if node.op_type in _ANCHORS and _is_over_one_axis(network, node)]
    if not anchors:
        return []
    lifted = _Lifted(network)
    for item in model.graph.input:
        if _rank(network, item.name) == _RANK and network.constant(item.name) is None:
            lifted.lift_input(item)
    for node in network.nodes:
        lifted.rewrite(node)
    for item in model.graph.output:
        if item.name in lifted.tensors:
            _insert_axis(item)
    del model.graph.value_info[:]  # what it says of shapes is no longer so; they are inferred again
    network.drop_unused()
    return [
        Change(
            kind=KIND,
            names=tuple(anchors),
            before="one axis, tensors of (N, C, L)",
            after="two axes, tensors of (N, C, 1, L); samples of (N, C, L) still fit",
            reason="FINN's layers take images",
        )
    ]


def _is_over_one_axis(network: NetworkGraph, node: Any) -> bool:
    kernel = attributes(node).get("kernel_shape")
    return _rank(network, node.input[0]) == _RANK if kernel is None else len(kernel) == 1


def _rank(network: NetworkGraph, name: str) -> int:
    shape = network.shape(name)
    return 0 if shape is None else len(shape)


def _insert_axis(item: Any) -> None:
    """Write (N, C, 1, L) in place of (N, C, L)."""
    shape = item.type.tensor_type.shape
    last = shape.dim.add()
    last.CopyFrom(shape.dim[2])
    shape.dim[2].Clear()
    shape.dim[2].dim_value = 1


class _Lifted:
    """The tensors that have rank 4 by now, and the nodes that are rewritten for them."""

    def __init__(self, network: NetworkGraph) -> None:
        self._network = network
        self.tensors: set[str] = set()
        self._was = {
            name: shape
            for node in network.nodes
            for name in (*node.input, *node.output)
            if (shape := network.shape(name)) is not None
        }

    def lift_input(self, item: Any) -> None:
        """Have the network take rank 4."""
        _insert_axis(item)
        self.tensors.add(item.name)

    def rewrite(self, node: Any) -> None:
        """Rewrite one node. Nodes must come in the order of the graph."""
        kind = node.op_type
        rank = len(self._was.get(node.input[0], ())) if node.input else 0
        if kind in _ANCHORS and rank == _RANK:
            self._lift_operand(node, 0)
            self._widen_window(node)
        elif not any(name in self.tensors for name in node.input):
            return
        elif kind in _GLOBAL:
            self.tensors.update(node.output)
        elif kind in _ELEMENTWISE:
            self._rewrite_elementwise(node)
        elif kind == "Concat" and all(len(self._was.get(name, ())) == _RANK for name in node.input):
            for at in range(len(node.input)):
                self._lift_operand(node, at)
            set_attribute(node, "axis", _AXIS[attributes(node)["axis"] % _RANK])
            self.tensors.update(node.output)
        elif kind == "Transpose":
            self._rewrite_transpose(node)
        elif (kind == "Pad" and self._rewrite_pad(node)) or (
            kind in {"Upsample", "Resize"} and self._rewrite_resize(node)
        ):
            self.tensors.update(node.output)
        elif kind in {"Flatten", "Reshape", "Squeeze", "Unsqueeze"}:
            self._rewrite_reshape(node)
        else:
            for at, name in enumerate(node.input):
                if name in self.tensors:
                    node.input[at] = self._reshape(node, name, self._was[name])

    def _reshape(self, node: Any, name: str, shape: tuple[int, ...]) -> str:
        """Put a Reshape in front of a node."""
        import numpy as np
        from onnx import helper

        output = self._network.new_tensor(f"{name}_rank_{len(shape)}")
        constant = self._network.add_constant(f"{output}_shape", np.asarray(shape, np.int64))
        made = helper.make_node(
            "Reshape", [name, constant], [output], name=self._network.new_name(f"{node.name}_Reshape")
        )
        self._network.insert_before(node, made)
        return output

    def _lift_operand(self, node: Any, at: int) -> None:
        name = node.input[at]
        if name not in self.tensors:
            batch, channels, length = self._was[name]
            node.input[at] = self._reshape(node, name, (batch, channels, 1, length))

    def _widen_window(self, node: Any) -> None:
        given = attributes(node)
        for name, one in (
            ("kernel_shape", 1),
            ("strides", 1),
            ("dilations", 1),
            ("output_padding", 0),
            ("output_shape", 1),
        ):
            if name in given:
                set_attribute(node, name, [one, *given[name]])
        if "pads" in given:
            first, last = given["pads"]
            set_attribute(node, "pads", [0, first, 0, last])
        if node.op_type in _CONVOLUTIONS:
            node.input[1] = self._widen_weights(node.input[1])
        self.tensors.update(node.output)

    def _widen_weights(self, name: str) -> str:
        """Weights of (O, I, k) as (O, I, 1, k), and their quantizer's parameters likewise."""
        value = self._network.constant(name)
        if value is not None:
            return self._network.add_constant(f"{name}_2d", value.reshape(*value.shape[:2], 1, *value.shape[2:]))
        producer = self._network.producer(name)
        shape = self._was[name]
        if producer.op_type in QUANTIZERS and name not in self.tensors:
            self.tensors.update(producer.output)
            producer.input[0] = self._widen_weights(producer.input[0])
            self._widen_constants(producer, 1)
            return name
        if name in self.tensors:
            return name
        return self._reshape(producer, name, (*shape[:2], 1, *shape[2:]))

    def _widen_constants(self, node: Any, first: int) -> None:
        """Give constants that broadcast against (N, C, L) an axis before the last one."""
        for at in range(first, len(node.input)):
            value = self._network.constant(node.input[at])
            if value is not None and value.ndim > 1:
                shape = (*value.shape[:-1], 1, value.shape[-1])
                node.input[at] = self._network.add_constant(f"{node.input[at]}_2d", value.reshape(shape))

    def _rewrite_elementwise(self, node: Any) -> None:
        for at, name in enumerate(node.input):
            if name and name not in self.tensors and self._network.constant(name) is None:
                if len(self._was.get(name, ())) == _RANK:
                    self._lift_operand(node, at)
                elif len(self._was.get(name, ())) > 1:
                    rows, length = self._was[name][-2:]
                    node.input[at] = self._reshape(node, name, (rows, 1, length))
        self._widen_constants(node, 0)
        self.tensors.add(node.output[0])

    def _rewrite_transpose(self, node: Any) -> None:
        order = attributes(node).get("perm", tuple(reversed(range(_RANK))))
        moved = [_AXIS[axis] for axis in order]
        set_attribute(node, "perm", [*moved[:2], 2, *moved[2:]])
        self.tensors.update(node.output)

    def _rewrite_pad(self, node: Any) -> bool:
        import numpy as np

        given = attributes(node)
        pads = given.get("pads") if len(node.input) < 2 else self._network.constant(node.input[1])
        if pads is None or len(pads) != 2 * _RANK:
            return False
        wide = [*pads[:2], 0, pads[2], *pads[3:5], 0, pads[5]]
        if "pads" in given:
            set_attribute(node, "pads", wide)
        else:
            node.input[1] = self._network.add_constant(f"{node.input[1]}_2d", np.asarray(wide, np.int64))
        return True

    def _rewrite_resize(self, node: Any) -> bool:
        import numpy as np

        found = False
        for at in range(1, len(node.input)):
            value = self._network.constant(node.input[at])
            if value is not None and value.size == _RANK:
                wide = np.asarray([*value[:2], 1, value[2]], value.dtype)
                node.input[at] = self._network.add_constant(f"{node.input[at]}_2d", wide)
                found = True
        return found

    def _rewrite_reshape(self, node: Any) -> None:
        """What follows has the shape it had, whichever operator made it: an axis of size 1 moves no value."""
        import numpy as np
        from onnx import helper

        shape = self._was.get(node.output[0])
        if node.op_type == "Flatten" and attributes(node).get("axis", 1) == 1:
            return
        if shape is None:
            node.input[0] = self._reshape(node, node.input[0], self._was[node.input[0]])
            return
        constant = self._network.add_constant(f"{node.name}_shape", np.asarray(shape, np.int64))
        made = helper.make_node("Reshape", [node.input[0], constant], list(node.output), name=node.name)
        self._network.insert_before(node, made)
        self._network.remove(node)
