"""Inputs that are declared as integers: qonnx passes integers as float32 numbers with an annotated data type."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.constants import Constants
from bskernel_executors.qonnx_transform.adaptation.graph_inputs import list_inputs
from bskernel_executors.qonnx_transform.adaptation.names import list_tensors, unique_name
from bskernel_executors.qonnx_transform.adaptation.no_operations import take_out
from bskernel_executors.sdk import StepFailure

KIND = "integer_inputs"
_MOVES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Slice", "Pad"})
_READS_INDICES = frozenset({"Gather", "GatherElements", "GatherND", "OneHot", "EmbeddingBag"})


def mend_integer_inputs(model: Any) -> list[Change]:
    """Make integer inputs float32, annotate their data type, and take out the casts behind them.

    Raises StepFailure (model_load) for a node that needs the integers as they are.
    """
    from onnx import TensorProto

    names = {
        TensorProto.UINT8: "UINT8",
        TensorProto.INT8: "INT8",
        TensorProto.UINT16: "UINT16",
        TensorProto.INT16: "INT16",
        TensorProto.INT32: "INT32",
        TensorProto.INT64: "INT64",
        TensorProto.BOOL: "BINARY",
    }
    changes = []
    for value in list_inputs(model.graph):
        datatype = names.get(value.type.tensor_type.elem_type)
        if datatype is None:
            continue
        touched = _follow(model.graph, value.name)
        value.type.tensor_type.elem_type = TensorProto.FLOAT
        _annotate(model.graph, value.name, datatype)
        changes.append(
            Change(
                kind=KIND,
                names=(value.name, *touched),
                before=f"an input of {datatype}, converted by the network",
                after=f"float32 numbers, annotated as {datatype}",
                reason="qonnx and FINN pass integers as float32 with a data type",
            )
        )
    return changes


def _follow(graph: Any, name: str) -> list[str]:
    """Rewrite what reads the integers; return the names of the nodes."""
    from onnx import TensorProto

    integers, touched, casts = {name}, [], []
    for node in list(graph.node):
        if integers.isdisjoint(node.input):
            continue
        if node.op_type in _MOVES and not node.domain and node.input[0] in integers:
            integers.update(node.output)
            _forget_type(graph, node.output[0])
        elif node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT:
            casts.append(node)
            touched.append(node.name)
        elif node.op_type == "DequantizeLinear" and _dequantize(graph, node):
            touched.append(node.name)
        else:
            indices = node.op_type in _READS_INDICES
            raise StepFailure(
                category="model_load",
                message=f"input {name!r} holds integers, and {node.op_type} {node.name} "
                f"{'looks values up with them' if indices else 'computes with them'}",
                hint="leave the look-up to the host, and begin the network behind it"
                if indices
                else "cast the input to float32 first of all, or give the network a float32 input",
            )
    for node in casts:
        if not take_out(graph, node, Constants(graph)):  # it makes an output of the graph
            node.op_type = "Identity"
            del node.attribute[:]
    return touched


def _dequantize(graph: Any, node: Any) -> bool:
    """Replace DequantizeLinear of an input by (x - zero point) * scale."""
    import numpy as np
    from onnx import helper, numpy_helper

    constants, taken = Constants(graph), list_tensors(graph)
    scale = constants.read(node.input[1])
    zero = constants.read(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros((), np.float32)
    if scale is None or zero is None or scale.size != 1 or zero.size != 1:
        return False
    at = list(graph.node).index(node)
    source, made = node.input[0], []
    if zero.item():
        centred, offset = unique_name(f"{source}_centred", taken), unique_name(f"{source}_zero_point", taken)
        graph.initializer.append(numpy_helper.from_array(zero.reshape(()).astype(np.float32), offset))
        made.append(helper.make_node("Sub", [source, offset], [centred], name=f"{node.name}_zero_point"))
        source = centred
    factor = unique_name(f"{node.input[0]}_scale", taken)
    graph.initializer.append(numpy_helper.from_array(scale.reshape(()).astype(np.float32), factor))
    made.append(helper.make_node("Mul", [source, factor], [node.output[0]], name=f"{node.name}_scale"))
    graph.node.remove(node)
    for offset_at, new in enumerate(made):
        graph.node.insert(at + offset_at, new)
    return True


def _forget_type(graph: Any, name: str) -> None:
    for value in [item for item in graph.value_info if item.name == name]:
        graph.value_info.remove(value)


def _annotate(graph: Any, name: str, datatype: str) -> None:
    from onnx import StringStringEntryProto, TensorAnnotation

    if any(item.tensor_name == name for item in graph.quantization_annotation):
        return
    entry = StringStringEntryProto(key="finn_datatype", value=datatype)
    graph.quantization_annotation.append(TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[entry]))
