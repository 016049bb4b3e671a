"""Recognizes ONNX files and the files in which they keep tensors, without the onnx library.

Reads protobuf's wire format (https://protobuf.dev/programming-guides/encoding) by the field numbers of onnx.proto.
Long fields are skipped, not read. Hostile bytes end in OnnxDamage: nothing recurses, nothing allocates what a length
asks for, and the number of fields is bounded.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

Data: TypeAlias = bytes | mmap.mmap
_MOST_FIELDS = 10_000_000  # a network of 100,000 nodes has about 3,000,000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_EXTERNAL = 1  # TensorProto.DataLocation
# Message -> field number -> the message in it. Only what leads to tensors.
_INSIDE: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
        "node": {5: "attribute"},
        "attribute": {
            5: "tensor",
            6: "graph",
            10: "tensor",
            11: "graph",
            22: "sparse tensor",
            23: "sparse tensor",
        },
        "sparse tensor": {1: "tensor", 2: "tensor"},
        "function": {7: "node", 11: "attribute"},
        "training": {1: "graph", 2: "graph"},
    }
)
_IR_VERSION, _GRAPH = 1, 7  # of ModelProto
_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14  # of TensorProto
# Files that are often given in place of ONNX, by how they begin.
_OTHERS = (
    (b"PK\x03\x04", "a zip archive, as torch.save writes"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x02", "a pickle, as torch.save writes"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself with `git lfs pull`"),
)


class OnnxDamage(Exception):  # noqa: N818 - says what is wrong better than a suffix
    """Bytes that are no ONNX model: the text completes "the file is no ONNX file: it is ..."."""


def external_locations(path: Path) -> dict[str, str]:
    """The files that hold tensors of an ONNX file -> the first of these tensors. Raises OnnxDamage, OSError.

    The files are as the model names them: unchecked text.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise OnnxDamage("empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return find_locations(data)


def find_locations(data: Data) -> dict[str, str]:
    """The same for the bytes of a file."""
    _check_kind(data)
    found: dict[str, str] = {}
    if data.find(b"location") < 0:  # the key of every external tensor
        return found
    count = 0
    waiting = [("model", 0, len(data))]
    while waiting:
        kind, start, end = waiting.pop()
        if kind == "tensor":
            for location, name in _locations_of(data, start, end):
                found.setdefault(location, name)
            continue
        inside = _INSIDE[kind]
        below = []
        for number, wire, begin, stop in fields(data, start, end):
            count += 1
            if wire == _BYTES and number in inside:
                below.append((inside[number], begin, stop))
        if count > _MOST_FIELDS:
            raise OnnxDamage(f"a message of more than {_MOST_FIELDS:,} fields")
        waiting += reversed(below)  # in the order of the file
    return found


def _check_kind(data: Data) -> None:
    """Raise OnnxDamage unless the bytes are a ModelProto with a graph."""
    start = bytes(data[:64])
    for magic, what in _OTHERS:
        if start.startswith(magic):
            raise OnnxDamage(what)
    if start[4:8] == b"TFL3":
        raise OnnxDamage("a model of TensorFlow Lite")
    if start and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        raise OnnxDamage("text")
    kinds = {(number, wire) for number, wire, _, _ in fields(data, 0, len(data))}
    if (_IR_VERSION, _VARINT) not in kinds or (_GRAPH, _BYTES) not in kinds:
        raise OnnxDamage("a message of protobuf, but of another kind, as TensorFlow writes")


def _locations_of(data: Data, start: int, end: int) -> Iterator[tuple[str, str]]:
    """The file of a TensorProto, if it is external, with the tensor's name."""
    name, external, entries = b"", False, {}
    for number, wire, begin, stop in fields(data, start, end):
        if number == _NAME and wire == _BYTES:
            name = bytes(data[begin:stop])
        elif number == _DATA_LOCATION and wire == _VARINT:
            external = varint(data, begin, stop)[0] == _EXTERNAL
        elif number == _EXTERNAL_DATA and wire == _BYTES:
            pair = {field: bytes(data[low:high]) for field, _, low, high in fields(data, begin, stop)}
            entries[pair.get(1, b"")] = pair.get(2, b"")
    if external:
        location = entries.get(b"location", b"")
        yield location.decode("utf-8", "replace"), name.decode("utf-8", "replace")


def fields(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, wire type, and where the content begins and ends."""
    at = start
    while at < end:
        tag, at = varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        begin = at
        if wire == _VARINT:
            _, at = varint(data, at, end)
        elif wire == _BYTES:
            length, begin = varint(data, at, end)
            at = begin + length
        elif wire in {_FIXED64, _FIXED32}:
            at += 8 if wire == _FIXED64 else 4
        else:
            raise OnnxDamage(f"not readable at byte {begin}")
        if number == 0:
            raise OnnxDamage(f"not readable at byte {begin}")
        if at > end:
            raise OnnxDamage(
                f"cut off: at byte {begin} it announces {at - begin:,} bytes, and {end - begin:,} are left"
            )
        yield number, wire, begin, at


def varint(data: Data, at: int, end: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise OnnxDamage(f"not readable at byte {at}")
