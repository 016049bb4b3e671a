"""Which node of a network an exception is about: the one that the innermost functions were working on.

Exceptions of transformations seldom name it, but their frames hold it. Nodes are known by what they look like, so
that no executor is made to have onnx.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

import msgspec

_FRAMES = 4
_LIKELY = ("node", "n", "consumer", "self")
# AttributeProto.type -> the field that holds the value
_FIELDS = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}


class Culprit(msgspec.Struct, frozen=True, kw_only=True):
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
    kinds = ("op_type", "name", "attribute", "input", "output")
    # A module or class has such names at times; a node's are texts and lists.
    return value if all(hasattr(value, kind) for kind in kinds) and isinstance(value.op_type, str) else None


def _nodes_of(frame: FrameType) -> Iterator[Any]:
    names = sorted(frame.f_locals, key=lambda name: (_LIKELY.index(name) if name in _LIKELY else len(_LIKELY), name))
    for name in names:
        node = _node(frame.f_locals[name])
        if node is not None:
            yield node


def culprit_of(error: BaseException) -> Culprit | None:
    """The node, or None. Of several in a frame the one that the exception's text names, or the likeliest."""
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
            return Culprit(name=node.name or node.output[0], operator=node.op_type, attributes=attributes)
    return None
