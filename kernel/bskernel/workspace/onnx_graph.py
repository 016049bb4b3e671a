"""The graph in an ONNX file, read without the onnx library: nodes, attributes, shapes, QONNX's data types.

Field numbers are those of onnx.proto. Tensors' values are not read; in attributes they are named by digest.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bskernel.core.model_graph import ModelGraph, ModelNode, ModelTensor
from bskernel.workspace.onnx_file import Data, fields, varint

_BYTES, _VARINT, _FIXED32 = 2, 0, 5  # wire types
_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE, _ANNOTATION = 1, 5, 11, 12, 13, 14  # of GraphProto
_DATATYPE = "finn_datatype"  # QONNX's key of a tensor's annotation
_SHOWN = 16  # digits of a digest


def read_graph(path: Path) -> ModelGraph:
    """The graph of an ONNX file. Raises OnnxDamage, OSError, ValueError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = ModelGraph()
        for number, wire, begin, end in fields(data, 0, len(data)):
            if number == _GRAPH and wire == _BYTES:
                found = _graph(data, begin, end)
        return found


def _graph(data: Data, start: int, stop: int) -> ModelGraph:
    nodes, initializers = [], set()
    shapes: dict[str, tuple[int | None, ...] | None] = {}
    types: dict[str, str] = {}
    ends: dict[int, list[str]] = {_INPUT: [], _OUTPUT: []}
    for number, wire, begin, end in fields(data, start, stop):
        if wire != _BYTES:
            continue
        if number == _NODE:
            nodes.append(_model_node(data, begin, end))
        elif number == _INITIALIZER:
            name, shape = _tensor(data, begin, end)
            initializers.add(name)
            shapes[name] = shape
        elif number in {_INPUT, _OUTPUT, _VALUE}:
            name = text_of(data, begin, end, 1)
            shapes.setdefault(name, _shape(data, begin, end))
            if number in ends:
                ends[number].append(name)
        elif number == _ANNOTATION:
            name, datatype = _annotation(data, begin, end)
            if datatype:
                types[name] = datatype
    names = [*shapes, *(name for name in types if name not in shapes)]
    return ModelGraph(
        nodes=tuple(nodes),
        tensors={name: ModelTensor(shape=shapes.get(name), datatype=types.get(name)) for name in names},
        inputs=tuple(name for name in ends[_INPUT] if name not in initializers),
        outputs=tuple(ends[_OUTPUT]),
        initializers=frozenset(initializers),
    )


def _model_node(data: Data, start: int, stop: int) -> ModelNode:
    found = read_node(data, start, stop)
    return ModelNode(
        name=found["name"],
        operator=found["op_type"],
        inputs=tuple(found["inputs"]),
        outputs=tuple(found["outputs"]),
        attributes=found["attributes"],
    )


def _tensor(data: Data, start: int, stop: int) -> tuple[str, tuple[int | None, ...]]:
    name, dims = "", []
    for number, wire, begin, end in fields(data, start, stop):
        if number == 8:
            name = read_text(data, begin, end)
        elif number == 1:
            dims += [varint(data, begin, end)[0]] if wire == _VARINT else list(read_packed(data, begin, end))
    return name, tuple(dims)


def _shape(data: Data, start: int, stop: int) -> tuple[int | None, ...] | None:
    """The shape in a ValueInfoProto: its type's tensor_type's shape's dimensions; None without one."""
    spans = [(start, stop)]
    for wanted in (2, 1, 2):
        spans = [
            (begin, end)
            for low, high in spans
            for number, wire, begin, end in fields(data, low, high)
            if number == wanted and wire == _BYTES
        ]
    if not spans:
        return None
    dims: list[int | None] = []
    for low, high in spans:
        for number, wire, begin, end in fields(data, low, high):
            if number == 1 and wire == _BYTES:
                values = [
                    varint(data, at, to)[0]
                    for field, kind, at, to in fields(data, begin, end)
                    if (field, kind) == (1, 0)
                ]
                dims.append(values[0] if values else None)
    return tuple(dims)


def _annotation(data: Data, start: int, stop: int) -> tuple[str, str]:
    """The tensor of a TensorAnnotation, and QONNX's data type of it."""
    name = datatype = ""
    for number, wire, begin, end in fields(data, start, stop):
        if number == 1 and wire == _BYTES:
            name = read_text(data, begin, end)
        elif number == 2 and wire == _BYTES and text_of(data, begin, end, 1) == _DATATYPE:
            datatype = text_of(data, begin, end, 2)
    return name, datatype


def read_node(data: Data, start: int, stop: int) -> dict[str, Any]:
    """A NodeProto's fields by their names in onnx.proto."""
    found: dict[str, Any] = {"inputs": [], "outputs": [], "name": "", "op_type": "", "domain": "", "attributes": {}}
    texts = {3: "name", 4: "op_type", 7: "domain"}
    for number, _, begin, end in fields(data, start, stop):
        if number in {1, 2}:
            found["inputs" if number == 1 else "outputs"].append(read_text(data, begin, end))
        elif number in texts:
            found[texts[number]] = read_text(data, begin, end)
        elif number == 5:
            name, value = _attribute(data, begin, end)
            found["attributes"][name] = value
    return found


def _attribute(data: Data, start: int, stop: int) -> tuple[str, Any]:
    name, values = "", []
    for number, wire, begin, end in fields(data, start, stop):
        if number == 1:
            name = read_text(data, begin, end)
        elif number == 2 and wire == _FIXED32:
            values.append(struct.unpack("<f", bytes(data[begin:end]))[0])
        elif number in {3, 8} and wire == _VARINT:
            values.append(_signed(varint(data, begin, end)[0]))
        elif number == 8:
            values += list(read_packed(data, begin, end))
        elif number in {4, 9}:
            values.append(read_text(data, begin, end))
        elif number != 20:  # its type
            values.append(short_digest(bytes(data[begin:end])))
    return name, values[0] if len(values) == 1 else values


def read_packed(data: Data, at: int, end: int) -> Iterator[int]:
    """Numbers of a packed field."""
    while at < end:
        value, at = varint(data, at, end)
        yield _signed(value)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def text_of(data: Data, start: int, stop: int, wanted: int) -> str:
    """The text in a field of a message; an empty one without it."""
    found = fields(data, start, stop)
    return next((read_text(data, low, high) for number, _, low, high in found if number == wanted), "")


def read_text(data: Data, begin: int, end: int) -> str:
    """Bytes as text."""
    return bytes(data[begin:end]).decode("utf-8", "replace")


def short_digest(data: bytes) -> str:
    """The first digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:_SHOWN]
