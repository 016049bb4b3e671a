"""What is in an ONNX file, as values that can be compared: nodes, attributes, initializers, metadata.

Field numbers are those of onnx.proto. Tensors are named by digest.
"""

from __future__ import annotations

import mmap
from collections import Counter
from pathlib import Path
from typing import Any

from bskernel.workspace.onnx_file import Data, fields, varint
from bskernel.workspace.onnx_graph import read_node, read_packed, read_text, short_digest, text_of

_VARINT = 0  # wire type
_GRAPH, _METADATA = 7, 14  # of ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE = 1, 5, 11, 12, 13  # of GraphProto


def summarize_model(path: Path) -> dict[str, Any]:
    """The content of an ONNX file by name. Raises OnnxDamage, OSError, ValueError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        top = list(fields(data, 0, len(data)))
        graphs = [(begin, end) for number, _, begin, end in top if number == _GRAPH]
        rest = [bytes(data[begin:end]) for number, _, begin, end in top if number not in {_GRAPH, _METADATA}]
        found: dict[str, Any] = {
            "metadata": dict(_pair(data, begin, end) for number, _, begin, end in top if number == _METADATA),
            "versions and producer": short_digest(b"\0".join(rest)),
        }
        for begin, end in graphs:
            found |= _graph(data, begin, end)
        return found


def _graph(data: Data, start: int, stop: int) -> dict[str, Any]:
    nodes, tensors, values, rest = [], {}, {}, []
    kinds = {_INPUT: "input", _OUTPUT: "output", _VALUE: "value"}
    for number, _, begin, end in fields(data, start, stop):
        if number == _NODE:
            nodes.append(read_node(data, begin, end))
        elif number == _INITIALIZER:
            name, tensor = _tensor(data, begin, end)
            tensors[name] = tensor
        elif number in kinds:
            name = text_of(data, begin, end, 1)
            values[f"{kinds[number]} {name}"] = short_digest(bytes(data[begin:end]))
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
        "name and annotations": short_digest(b"\0".join(rest)),
    }


def _tensor(data: Data, start: int, stop: int) -> tuple[str, dict[str, Any]]:
    name, dims, kind, rest = "", [], 0, []
    for number, wire, begin, end in fields(data, start, stop):
        if number == 8:
            name = read_text(data, begin, end)
        elif number == 1:
            dims += [varint(data, begin, end)[0]] if wire == _VARINT else list(read_packed(data, begin, end))
        elif number == 2:
            kind = varint(data, begin, end)[0]
        else:
            rest.append(bytes(data[begin:end]))
    return name, {"shape": dims, "type": kind, "content": short_digest(b"\0".join(rest))}


def _pair(data: Data, start: int, stop: int) -> tuple[str, str]:
    return text_of(data, start, stop, 1), text_of(data, start, stop, 2)
