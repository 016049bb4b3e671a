"""Ways to execute a model: plain ONNX as a whole in onnxruntime, other models node by node."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

from bskernel_executors.quality.batch import find_activations
from bskernel_executors.quality.batched_node import BatchedNode, Context, NodeProgram
from bskernel_executors.quality.convolution import convolve
from bskernel_executors.sdk import StepFailure

Program: TypeAlias = Callable[
    [Any], dict[str, Any]
]  # from the input's values to tensors by name, at least all outputs


def is_plain(model: Any) -> bool:
    """Return whether the model contains only nodes that ONNX itself defines."""
    from qonnx.custom_op.registry import is_custom_op

    return not any(is_custom_op(node.domain, node.op_type) for node in model.graph.node)


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread: the order of sums, and so every bit, is the same on every machine.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def make_whole(model: Any, taken: str) -> Program:
    """Make a program that runs the whole model in one session."""
    proto = copy.deepcopy(model.model)
    del proto.graph.value_info[:]
    session = _session(proto.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return lambda values: dict(zip(names, session.run(names, {taken: values}), strict=True))


def make_variant(model: Any, taken: str, replace: Callable[[Any], NodeProgram | None], *, double: bool) -> Program:
    """Make a program for one frame that executes some nodes in another way: `replace` returns a node's program.

    With `double`, all nodes compute in float64. Integer tensors are not checked.
    """
    import numpy as np

    empty = model.make_empty_exec_context()
    if double:
        narrow = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[1:]}
        empty = {name: values if name in narrow else widen(values) for name, values in empty.items()}
    steps = [replace(node) or _double_step(node, model, double=double) for node in model.graph.node]

    def run(values: Any) -> dict[str, Any]:
        context = dict(empty)
        context[taken] = values.astype(np.float64) if double else values
        for node, step in zip(model.graph.node, steps, strict=True):
            step(context)
            for name in filter(None, node.output if double else ()):
                context[name] = widen(context[name])
        return context

    return run


def _double_step(node: Any, model: Any, *, double: bool) -> NodeProgram:
    """Return a node's program; onnxruntime convolves in float32 alone, and resizes in no more than it."""
    step = _step(node, model)
    if not double or node.op_type not in {"Conv", "Resize"}:
        return step

    def run(context: Context) -> None:
        values = [context[name] for name in node.input if name]
        if node.op_type == "Conv":
            context[node.output[0]] = convolve(node, *values)
        else:
            narrowed = context | {node.input[0]: values[0].astype("float32")}
            step(narrowed)
            context[node.output[0]] = narrowed[node.output[0]]

    return run


def widen(values: Any) -> Any:
    """Return float32 values as float64, and others, e.g. those of an input that is left out, as they are."""
    return values.astype("float64") if getattr(values, "dtype", None) == "float32" else values


def make_node_by_node(model: Any, taken: str, many: Any = None, size: int = 1) -> Program:
    """Make a program that executes as qonnx does: custom nodes in Python, each other node in a session of its own.

    As in qonnx, integer tensors are checked after every node. With `many`, the model for `size` frames, a node
    computes them at once if that gives the same as one after the other.
    """
    constants = {initializer.name for initializer in model.graph.initializer}
    empty = (many or model).make_empty_exec_context()
    for name in constants:
        if (kind := model.get_tensor_datatype(name)).is_integer():
            empty[name] = _whole_numbers(name, kind, empty[name])
    single = model.make_empty_exec_context() if many is not None else {}
    changing = find_activations(model, taken)
    steps = []
    for at, node in enumerate(model.graph.node):
        step = _step(node, model)
        if many is not None and not changing.isdisjoint(node.input):
            inputs = {name: name in changing for name in node.input}
            outputs = [name for name in node.output if name]
            step = BatchedNode(step, _step(many.graph.node[at], many), inputs, outputs, single, size)
        kinds = ((name, model.get_tensor_datatype(name)) for name in node.output if name)
        steps.append((step, [(name, kind) for name, kind in kinds if kind.is_integer()]))
    first = model.get_tensor_datatype(taken)

    def run(values: Any) -> dict[str, Any]:
        context = dict(empty)
        context[taken] = _whole_numbers(taken, first, values) if first.is_integer() else values
        for step, outputs in steps:
            step(context)
            for name, kind in outputs:
                context[name] = _whole_numbers(name, kind, context[name])
        return context

    return run


def _step(node: Any, model: Any) -> NodeProgram:
    from qonnx.custom_op.registry import getCustomOp, is_custom_op
    from qonnx.util.basic import get_preferred_qonnx_opset

    graph = model.graph
    version = model.get_opset_imports().get(node.domain, get_preferred_qonnx_opset())
    if is_custom_op(node.domain, node.op_type):
        operator = getCustomOp(node, onnx_opset_version=version)
        return lambda context: operator.execute_node(context, graph)
    return _in_session(node, version)


def _in_session(node: Any, version: int) -> NodeProgram:
    """Run the node in a session, which is made with the types and ranks of the first values."""
    from onnx import helper

    inputs, outputs = list(dict.fromkeys(filter(None, node.input))), [name for name in node.output if name]
    made: list[Any] = []

    def run(context: dict[str, Any]) -> None:
        if not made:
            given = [
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(context[name].dtype), [None] * context[name].ndim
                )
                for name in inputs
            ]
            found = [helper.make_empty_tensor_value_info(name) for name in outputs]
            part = helper.make_graph([node], "one", given, found)
            model = helper.make_model(part, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
            made.append(_session(model.SerializeToString()))
        context.update(zip(outputs, made[0].run(outputs, {name: context[name] for name in inputs}), strict=True))

    return run


def _whole_numbers(name: str, kind: Any, values: Any) -> Any:
    """Round values that rounding errors moved off the type. Raises StepFailure (verification) for larger errors."""
    import numpy as np
    from qonnx.util.basic import get_execution_error_thresh

    if np.all(kind.allowed(values)):
        return values
    rounded = np.round(values)
    if np.abs(values - rounded).max() > get_execution_error_thresh():
        raise StepFailure(
            category="verification", message=f"tensor {name!r} is annotated as {kind.name}, but holds fractions"
        )
    return rounded
