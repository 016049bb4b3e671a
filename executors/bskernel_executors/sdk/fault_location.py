"""Locate the node of a network that an exception is about: the one that the innermost functions worked on.

Exceptions of transformations seldom name their node, but their stack frames hold it. A node is recognized by its
attributes, so that no executor has to install onnx for this.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

import msgspec

_FRAMES = 4  # innermost stack frames that are searched
_LIKELY_NAMES = ("node", "n", "consumer", "self")
# AttributeProto.type -> the field that holds the value (onnx.proto)
_FIELDS = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}


class FaultyNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node's name, operator and attributes (as text)."""

    name: str
    operator: str
    attributes: dict[str, str]


def _value(attribute: Any) -> str | None:
    field = _FIELDS.get(attribute.type)
    if field is None:
        return None
    value = getattr(attribute, field)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value if isinstance(value, int | float) else list(value))


def _node(value: Any) -> Any:
    value = getattr(value, "onnx_node", value)
    fields = ("op_type", "name", "attribute", "input", "output")
    # Modules and classes sometimes have these attributes too; a node's op_type is a string.
    return value if all(hasattr(value, field) for field in fields) and isinstance(value.op_type, str) else None


def _likelihood(name: str) -> tuple[int, str]:
    return (_LIKELY_NAMES.index(name) if name in _LIKELY_NAMES else len(_LIKELY_NAMES), name)


def _nodes_of(frame: FrameType) -> Iterator[Any]:
    for name in sorted(frame.f_locals, key=_likelihood):
        node = _node(frame.f_locals[name])
        if node is not None:
            yield node


def locate_fault(error: BaseException) -> FaultyNode | None:
    """Return the node that was being processed, or None.

    If a frame holds several nodes, the one that the exception's text names wins, then the likeliest variable name.
    """
    frames: list[FrameType] = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    text = str(error)
    for frame in reversed(frames[-_FRAMES:]):
        nodes = list(_nodes_of(frame))
        node = next((node for node in nodes if node.name and node.name in text), nodes[0] if nodes else None)
        if node is not None:
            values = {attribute.name: _value(attribute) for attribute in node.attribute}
            attributes = {name: value for name, value in values.items() if value is not None}
            named = node.name or next(iter(node.output), "")  # a damaged node may have neither
            return FaultyNode(name=named, operator=node.op_type, attributes=attributes)
    return None
