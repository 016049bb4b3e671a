"""Numbers of double, half or brain precision become float32, the only one that qonnx and FINN compute with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bskernel_executors.exchange.adaptation import Change

KIND = "precision"


def mend_precision(model: Any) -> list[Change]:
    """Convert constants, casts and declared types to float32, and say how far values move."""
    from onnx import TensorProto

    changes: list[Change] = []
    for name, code in (
        ("float64", TensorProto.DOUBLE),
        ("float16", TensorProto.FLOAT16),
        ("bfloat16", TensorProto.BFLOAT16),
    ):
        changes += _convert(model.graph, name, code)
    return changes


def _convert(graph: Any, precision: str, code: int) -> list[Change]:
    import numpy as np
    from onnx import TensorProto, numpy_helper

    names: list[str] = []
    moved, largest = 0, 0.0
    for name, tensor in _tensors(graph):
        if tensor.data_type != code:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        wide = values.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = np.abs(single - wide) / np.abs(wide)
        differs = (single != wide) & np.isfinite(wide)
        moved += int(np.count_nonzero(differs))
        largest = max(largest, float(distance[differs].max(initial=0.0)))
        tensor.CopyFrom(numpy_helper.from_array(single, tensor.name))
        names.append(name)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == code:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
            if value.name not in names:
                names.append(value.name)
    for node in graph.node:
        for attribute in node.attribute:
            if (node.op_type, attribute.name) in {("Cast", "to"), ("EyeLike", "dtype")} and attribute.i == code:
                attribute.i = TensorProto.FLOAT
                names.append(node.name)
    if not names:
        return []
    note = "no value changes"
    if moved:
        note = f"{moved} {'value changes' if moved == 1 else 'values change'}, by at most {largest:.1g} of itself"
    return [
        Change(
            kind=KIND,
            names=tuple(names),
            before=precision,
            after=f"float32; {note}",
            reason="qonnx and FINN compute in float32, and operators do not mix precisions",
        )
    ]


def _tensors(graph: Any) -> Iterator[tuple[str, Any]]:
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield node.name, attribute.t
