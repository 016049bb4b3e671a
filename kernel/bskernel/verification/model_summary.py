"""What is in an ONNX file, as values that can be compared: nodes, attributes, initializers, metadata.

Field numbers are those of onnx.proto. Tensors are named by digest.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bskernel.workspace.onnx_file import Data, fields, varint

_BYTES, _VARINT, _FIXED32 = 2, 0, 5  # wire types
_GRAPH, _OPSET, _METADATA = 7, 8, 14  # of ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE = 1, 5, 11, 12, 13  # of GraphProto
_SHOWN = 16  # digits of a digest


def summarize_model(path: Path) -> dict[str, Any]:
    """The content of an ONNX file by name. Raises OnnxDamage, OSError, ValueError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        top = list(fields(data, 0, len(data)))
        graphs = [(begin, end) for number, _, begin, end in top if number == _GRAPH]
        rest = [bytes(data[begin:end]) for number, _, begin, end in top if number not in {_GRAPH, _METADATA}]
        found: dict[str, Any] = {
            "metadata": dict(_pair(data, begin, end) for number, _, begin, end in top if number == _METADATA),
            "versions and producer": _digest(b"\0".join(rest)),
        }
        for begin, end in graphs:
            found |= _graph(data, begin, end)
        return found


def _graph(data: Data, start: int, stop: int) -> dict[str, Any]:
    nodes, tensors, values, rest = [], {}, {}, []
    kinds = {_INPUT: "input", _OUTPUT: "output", _VALUE: "value"}
    for number, _, begin, end in fields(data, start, stop):
        if number == _NODE:
            nodes.append(_node(data, begin, end))
        elif number == _INITIALIZER:
            name, tensor = _tensor(data, begin, end)
            tensors[name] = tensor
        elif number in kinds:
            name = _text_of(data, begin, end, 1)
            values[f"{kinds[number]} {name}"] = _digest(bytes(data[begin:end]))
        else:
            rest.append(bytes(data[begin:end]))
    named = Counter(node["name"] for node in nodes)
    by_name = {
        node["name"] if node["name"] and named[node["name"]] == 1 else f"{node['op_type']} {at}": node
        for at, node in enumerate(nodes)
    }
    return {
        "nodes": by_name,
        "initializers": tensors,
        "shapes and types": values,
        "order of nodes": list(by_name),
        "name and annotations": _digest(b"\0".join(rest)),
    }


def _node(data: Data, start: int, stop: int) -> dict[str, Any]:
    found: dict[str, Any] = {"inputs": [], "outputs": [], "name": "", "op_type": "", "domain": "", "attributes": {}}
    texts = {3: "name", 4: "op_type", 7: "domain"}
    for number, _, begin, end in fields(data, start, stop):
        if number in {1, 2}:
            found["inputs" if number == 1 else "outputs"].append(_text(data, begin, end))
        elif number in texts:
            found[texts[number]] = _text(data, begin, end)
        elif number == 5:
            name, value = _attribute(data, begin, end)
            found["attributes"][name] = value
    return found


def _attribute(data: Data, start: int, stop: int) -> tuple[str, Any]:
    name, values = "", []
    for number, wire, begin, end in fields(data, start, stop):
        if number == 1:
            name = _text(data, begin, end)
        elif number == 2 and wire == _FIXED32:
            values.append(struct.unpack("<f", bytes(data[begin:end]))[0])
        elif number in {3, 8} and wire == _VARINT:
            values.append(_signed(varint(data, begin, end)[0]))
        elif number == 8:
            values += list(_packed(data, begin, end))
        elif number in {4, 9}:
            values.append(_text(data, begin, end))
        elif number != 20:  # its type
            values.append(_digest(bytes(data[begin:end])))
    return name, values[0] if len(values) == 1 else values


def _packed(data: Data, at: int, end: int) -> Iterator[int]:
    while at < end:
        value, at = varint(data, at, end)
        yield _signed(value)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _tensor(data: Data, start: int, stop: int) -> tuple[str, dict[str, Any]]:
    name, dims, kind, rest = "", [], 0, []
    for number, wire, begin, end in fields(data, start, stop):
        if number == 8:
            name = _text(data, begin, end)
        elif number == 1:
            dims += [varint(data, begin, end)[0]] if wire == _VARINT else list(_packed(data, begin, end))
        elif number == 2:
            kind = varint(data, begin, end)[0]
        else:
            rest.append(bytes(data[begin:end]))
    return name, {"shape": dims, "type": kind, "content": _digest(b"\0".join(rest))}


def _pair(data: Data, start: int, stop: int) -> tuple[str, str]:
    return _text_of(data, start, stop, 1), _text_of(data, start, stop, 2)


def _text_of(data: Data, start: int, stop: int, wanted: int) -> str:
    found = fields(data, start, stop)
    return next((_text(data, low, high) for number, _, low, high in found if number == wanted), "")


def _text(data: Data, begin: int, end: int) -> str:
    return bytes(data[begin:end]).decode("utf-8", "replace")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_SHOWN]
