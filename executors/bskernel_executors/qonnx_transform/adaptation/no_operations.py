"""Nodes that hand their input on: identities, dropout, debug markers, casts and moves that change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.constants import Constants
from bskernel_executors.qonnx_transform.adaptation.shapes import Shape, infer_shapes, infer_types

KIND = "no_operations"
_ALWAYS = frozenset({"Identity", "Dropout", "DebugMarker"})
_SINGLE = frozenset({"Concat", "Sum", "Max", "Min", "Mean"})  # of one input
_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})  # values keep their order
_MOVES = _RESHAPES | {"Expand", "Transpose"}


def remove_no_operations(model: Any) -> list[Change]:
    """Take out nodes whose output equals their first input, and connect what is around them."""
    graph = model.graph
    unused = _drop_unused(graph)
    nodes = [node for node in graph.node if node.op_type in _ALWAYS | _SINGLE | _MOVES | {"Cast", "Pad"}]
    if not nodes:
        return unused
    casts = any(node.op_type == "Cast" for node in nodes)
    shapes, constants, types = infer_shapes(model), Constants(graph), infer_types(model) if casts else {}
    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        why = _explain(node, shapes, constants, types) or _undo(graph, node, shapes)
        if why and take_out(graph, node, constants):
            found.setdefault((node.op_type, why), []).append(node.name)
    return unused + [
        Change(kind=KIND, names=tuple(names), before=kind, after="removed", reason=why)
        for (kind, why), names in found.items()
    ]


def _drop_unused(graph: Any) -> list[Change]:
    """Remove nodes that no output of the graph depends on."""
    needed = {value.name for value in graph.output}
    removed = []
    for node in reversed(graph.node):
        if needed.isdisjoint(node.output):
            removed.append(node)
        else:
            needed.update(node.input)
    for node in removed:
        graph.node.remove(node)
        _forget(graph.value_info, lambda item, made=set(node.output): item.name in made)  # type: ignore[misc]
    names = tuple(node.name for node in reversed(removed))
    reason = "no output of the network depends on them"
    return [Change(kind=KIND, names=names, before="unused nodes", after="removed", reason=reason)] if removed else []


def _explain(node: Any, shapes: dict[str, Shape], constants: Constants, types: dict[str, int]) -> str | None:
    """Why the node changes nothing, or None."""
    kind = node.op_type
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if kind == "Dropout" and len(node.input) > 2 and node.input[2] and constants.read(node.input[2]) != False:  # noqa: E712
        return None
    if kind == "DebugMarker" or (kind in _ALWAYS and not node.domain):
        return {"Dropout": "it drops nothing in inference"}.get(kind, "it hands its input on")
    if node.domain or not node.input[0]:
        return None
    if kind in _SINGLE:
        return "it has one input" if len(node.input) == 1 else None
    if kind == "Cast":
        return "its input has that type already" if types.get(node.input[0]) == attributes["to"].i else None
    if kind == "Pad":
        sizes = list(attributes["pads"].ints) if "pads" in attributes else constants.read(node.input[1])
        return "it pads nothing" if sizes is not None and not any(sizes) else None
    before, after = shapes.get(node.input[0]), shapes.get(node.output[0])
    if before is None or before != after:
        return None
    if kind == "Transpose":
        order = list(attributes["perm"].ints) if "perm" in attributes else list(reversed(range(len(before))))
        # Axes of size 1 can move without a change of the data; the others keep their order.
        wide = [axis for axis in order if before[axis] > 1]
        return "it moves no value" if wide == sorted(wide) else None
    return "the shape stays as it is"


def _undo(graph: Any, node: Any, shapes: dict[str, Shape]) -> str | None:
    """Let a reshape that undoes the one before it read what that one read."""
    if node.op_type not in _RESHAPES or node.domain:
        return None
    before = next((other for other in graph.node if node.input[0] in other.output), None)
    if before is None or before.op_type not in _RESHAPES or before.domain:
        return None
    shape = shapes.get(before.input[0])
    if shape is None or shape != shapes.get(node.output[0]):
        return None
    node.input[0] = before.input[0]
    used = {name for other in graph.node for name in other.input} | {value.name for value in graph.output}
    if before.output[0] not in used:
        graph.node.remove(before)
        _forget(graph.value_info, lambda item: item.name == before.output[0])
        return f"it and {before.name}, removed too, undo one another"
    return f"it undoes {before.name}"


def take_out(graph: Any, node: Any, constants: Constants) -> bool:
    """Remove a node whose output equals its first input, and return whether that was possible.

    It stays between an input or a constant and an output of the graph, and if its mask is used.
    """
    given, made = node.input[0], node.output[0]
    extra = {name for name in node.output[1:] if name}
    outputs = {value.name for value in graph.output}
    if extra & (outputs | {name for other in graph.node for name in other.input}):
        return False
    if made not in outputs:
        _rename_inputs(graph, made, given)
    else:
        producer = next((other for other in graph.node if given in other.output), None)
        if producer is None or given in outputs or given in constants:
            return False
        producer.output[list(producer.output).index(given)] = made
        _rename_inputs(graph, given, made)
        given, made = made, given
    graph.node.remove(node)
    for field, key in ((graph.value_info, "name"), (graph.quantization_annotation, "tensor_name")):
        _forget(field, lambda item, key=key: getattr(item, key) in {made, *extra})  # type: ignore[misc]
    return True


def _rename_inputs(graph: Any, old: str, new: str) -> None:
    for other in graph.node:
        for at, name in enumerate(other.input):
            if name == old:
                other.input[at] = new


def _forget(field: Any, matches: Callable[[Any], bool]) -> None:
    for item in [item for item in field if matches(item)]:
        field.remove(item)
