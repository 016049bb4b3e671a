"""The affine nodes before a threshold node, executed as qonnx executes them: in float32, one node after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

_AFFINE = frozenset({"Add", "BatchNormalization", "Div", "Mul", "Sub"})


class AffineChain(NamedTuple):
    """Nodes in the order of execution; `source` is the tensor before the first of them."""

    source: str
    nodes: tuple[Any, ...]
    per_channel: bool  # whether a parameter differs between channels


def _parameter_axes(shape: Sequence[int], rank: int) -> list[int]:
    """Return the axes of a tensor of `rank` along which a broadcast parameter differs."""
    return [rank - len(shape) + axis for axis, size in enumerate(shape) if size != 1]


def find_channel_axis(node: Any, rank: int) -> int:
    """Return the axis that a MultiThreshold node takes as channels, as its execution in qonnx does."""
    from qonnx.custom_op.registry import getCustomOp

    layout = getCustomOp(node).get_nodeattr("data_layout") or {3: "NWC"}.get(rank, "")
    return layout.index("C") if "C" in layout else 1


def find_chain(model: Any, tensor: str, axis: int) -> AffineChain:
    """Find the nodes that compute `tensor` and nothing else, with parameters that differ along `axis` at most."""
    import numpy as np

    nodes: list[Any] = []
    per_channel = False
    rank = len(model.get_tensor_shape(tensor) or ())
    outputs = {item.name for item in model.graph.output}
    while rank > 1:
        node = model.find_producer(tensor)
        if node is None or node.op_type not in _AFFINE or tensor in outputs:
            break
        if len(model.find_consumers(tensor)) != 1:
            break
        variable = [name for name in node.input if model.get_initializer(name) is None]
        constants = [value for name in node.input if (value := model.get_initializer(name)) is not None]
        if len(variable) != 1 or (node.op_type == "Div" and node.input[0] != variable[0]):
            break
        if any(value.dtype != np.float32 for value in constants):
            break
        if node.op_type == "BatchNormalization":
            if axis != 1 or len(node.output) != 1:
                break
            per_channel = True
        else:
            axes = _parameter_axes(constants[0].shape, rank)
            if any(size != axis for size in axes) or constants[0].ndim > rank:
                break
            per_channel = per_channel or bool(axes)
        if len(model.get_tensor_shape(variable[0]) or ()) != rank:
            break
        nodes.insert(0, node)
        tensor = variable[0]
    return AffineChain(tensor, tuple(nodes), per_channel)


def find_directions(model: Any, chain: AffineChain, channels: int) -> Any:
    """Return 1 for each channel whose values grow with the chain's input, -1 if they fall. Shape: (channels,)."""
    import numpy as np

    found = np.ones(channels)
    for node in chain.nodes:
        if node.op_type == "BatchNormalization":
            factor = model.get_initializer(node.input[1])
        elif node.op_type == "Sub" and model.get_initializer(node.input[0]) is not None:
            factor = np.float32(-1)
        elif node.op_type in {"Mul", "Div"}:
            factor = next(value for name in node.input if (value := model.get_initializer(name)) is not None)
        else:
            continue
        found = found * np.where(factor.reshape(-1) < 0, -1, 1)
    return found


class ChainProgram:
    """Executes the chain's nodes, and further nodes without parameters, for any values of each channel."""

    def __init__(self, model: Any, nodes: Sequence[Any], axis: int, rank: int) -> None:
        """Make a session for each node. `nodes` is one chain."""
        import onnxruntime
        from onnx import TensorProto, helper
        from qonnx.util.basic import get_preferred_qonnx_opset

        version = model.get_opset_imports().get("", get_preferred_qonnx_opset())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._axis, self._rank = axis, rank
        self._sessions: list[tuple[Any, str]] = []
        for node in nodes:
            (taken,) = (name for name in node.input if model.get_initializer(name) is None)
            graph = helper.make_graph(
                [node],
                "one",
                [helper.make_tensor_value_info(taken, TensorProto.FLOAT, [None] * rank)],
                [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, [None] * rank)],
                [item for item in model.graph.initializer if item.name in node.input],
            )
            part = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
            session = onnxruntime.InferenceSession(
                part.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            self._sessions.append((session, taken))

    def spread(self, values: Any) -> Any:
        """Reshape values of shape (channels, count) to a tensor with `count` frames and these channels."""
        import numpy as np

        shape = [1] * self._rank
        shape[0], shape[self._axis] = values.shape[1], values.shape[0]
        return np.ascontiguousarray(values.T).reshape(shape)

    def gather(self, tensor: Any, channels: int) -> Any:
        """Undo `spread`: return shape (channels, count)."""
        return tensor.reshape(-1, channels).T

    def run(self, tensor: Any) -> Any:
        """Execute the nodes."""
        for session, taken in self._sessions:
            (tensor,) = session.run(None, {taken: tensor})
        return tensor
