"""Check a user's file of layer attributes against the network: folding_config and specialize_layers_config.

FINN prints what matches no layer and goes on, so a misspelt layer would keep its slowest folding in silence. The form
of the file is that of FINN's ApplyConfig: {"Defaults": {ATTRIBUTE: [VALUE, OPERATORS]}, LAYER: {ATTRIBUTE: VALUE}}.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import StepFailure

# Attribute name -> QONNX's description: (kind, required, default, allowed values or None).
Attributes = Mapping[str, tuple[Any, ...]]
_DEFAULTS = "Defaults"
# FINN's own final_hw_config.json also lists what later steps insert between the layers.
_INSERTED = ("StreamingFIFO", "StreamingDataWidthConverter", "IODMA", "TLastMarker")
_SHOWN = 12
# QONNX's kinds of attributes, as users call them -> what JSON gives for them.
_KINDS: Mapping[str, tuple[str, type]] = {
    "i": ("a whole number", int),
    "f": ("a number with a decimal point", float),
    "s": ("text", str),
    "ints": ("a list of whole numbers", list),
    "floats": ("a list of numbers", list),
    "strings": ("a list of texts", list),
}


def _fail(message: str, hint: str) -> StepFailure:
    return StepFailure(category="config", message=message, hint=hint)


def _suggest(wrong: Iterable[str], names: Collection[str], what: str) -> str:
    near = dict.fromkeys(name for text in wrong for name in difflib.get_close_matches(text, names, n=3, cutoff=0.5))
    listed = ", ".join(list(names)[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return (f"did you mean {', '.join(near)}? " if near else "") + f"{what}: {listed or 'none'}"


def refuse_unknown(key: str, kind: str, wrong: Collection[str], names: Collection[str]) -> None:
    """Raise StepFailure (config) with the nearest names if a file names what the design does not have."""
    if wrong:
        shown = ", ".join(repr(name) for name in list(wrong)[:_SHOWN])
        message = f"{key}: the design has no {kind} {shown}"
        raise _fail(message, _suggest(wrong, names, f"{kind}s of the design"))


def read_layer_config(path: Path, key: str) -> dict[str, dict[str, Any]]:
    """Read the file of input `key`. Raises StepFailure (config) for anything that is no object of objects."""
    form = f'form of {key}: {{"Defaults": {{}}, "MVAU_rtl_0": {{"PE": 2, "SIMD": 4}}}}'
    try:
        found = json.loads(path.read_bytes(), object_pairs_hook=_refuse_duplicates)
    except ValueError as error:
        raise _fail(f"{key}: the file is not JSON: {error}", form) from None
    if not isinstance(found, dict):
        raise _fail(
            f"{key}: the file holds a {_kind_of(found)}, but must hold an object with an entry per layer", form
        )
    for layer, attributes in found.items():
        if not isinstance(attributes, dict):
            raise _fail(f"{key}: {layer}: a {_kind_of(attributes)} instead of an object of attributes", form)
    for attribute, value in found.get(_DEFAULTS, {}).items():
        if not isinstance(value, list) or not value or len(value) % 2:
            raise _fail(
                f"{key}: {_DEFAULTS}.{attribute} must be a list of values, each with its operators",
                f'example: {{"{_DEFAULTS}": {{"{attribute}": [1, ["MVAU_rtl"]]}}}}, or "all" instead of the list',
            )
    return found


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _kind_of(value: Any) -> str:
    names = {list: "list", str: "text", dict: "object", bool: "truth value", type(None): "null"}
    return names.get(type(value), "number")


def check_layer_config(config: Mapping[str, Mapping[str, Any]], key: str, layers: Mapping[str, Attributes]) -> None:
    """Raise StepFailure (config) unless every entry names a layer, attributes that it has, and values that fit."""
    entries = {name: given for name, given in config.items() if name != _DEFAULTS}
    unknown = [name for name in entries if name not in layers and not name.startswith(_INSERTED)]
    refuse_unknown(key, "layer", unknown, layers.keys())
    for name, given in entries.items():
        for attribute, value in given.items():
            if name in layers:
                _check_value(f"{key}: {name}", attribute, value, layers[name])


def _check_value(place: str, attribute: str, value: Any, attributes: Attributes) -> None:
    if attribute not in attributes:
        raise _fail(f"{place} has no attribute {attribute!r}", _suggest([attribute], attributes, "its attributes"))
    kind, _, _, *rest = attributes[attribute]
    text, expected = _KINDS.get(kind, ("", object))
    if not isinstance(value, expected):
        raise _fail(f"{place}: {attribute} must be {text}, but is {json.dumps(value)}", f"correct {attribute}")
    allowed = rest[0] if rest else None
    if allowed and value not in allowed:
        choices = ", ".join(json.dumps(choice) for choice in sorted(allowed, key=str))
        raise _fail(f"{place}: {attribute} is {json.dumps(value)}", f"choose one of {choices}")


def _name_uniquely(model: Any) -> Any:
    """Name the layers as the step does before it reads the file."""
    if importlib.util.find_spec("finn.transformation.qonnx.give_unique_node_names_recursive") is not None:
        module = importlib.import_module("finn.transformation.qonnx.give_unique_node_names_recursive")
        return model.transform(module.GiveUniqueNodeNamesRecursive())
    from qonnx.transformation.general import GiveUniqueNodeNames

    return model.transform(GiveUniqueNodeNames())


def _walk(graph: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the nodes of a graph and of the graphs in their attributes, with the names that ApplyConfig looks up.

    FINN+ looks into the body of a loop twice: by the names in there, and with the loop's name before them.
    """
    for node in graph.node:
        yield from {node.name: node, prefix + node.name: node}.items()
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _walk(attribute.g, f"{prefix}{node.name}_{attribute.name}_")


def describe_layers(model: Any) -> dict[str, Attributes]:
    """Describe the attributes of every layer of a ModelWrapper, by the name that a file must give."""
    from qonnx.custom_op.registry import getCustomOp, is_custom_op

    return {
        name: getCustomOp(node).get_nodeattr_types()
        for name, node in _walk(_name_uniquely(model).graph)
        if is_custom_op(node.domain, node.op_type)
    }
