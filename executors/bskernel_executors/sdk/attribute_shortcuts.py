"""A shortcut through QONNX's nodes: an attribute is read without making the definitions of all others.

To read one attribute, QONNX makes the definitions of all attributes of a class, those of each base class again, and
passes over all attributes of the node. One report of FINN's reads a thousand. Here definitions are made once per
class, where they are the same for each of its nodes, and it is remembered where in its node an attribute is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any

_DEFINE = "get_nodeattr_types"
_METHODS = frozenset({_DEFINE, "super", "update"})
_PLACES = "_places_of_attributes"  # in an operation: the place of each attribute by its name, and the last attribute
_NOWHERE: tuple[dict[str, int], Any] = ({}, None)
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "i": lambda attribute: attribute.i,
    "f": lambda attribute: attribute.f,
    "s": lambda attribute: attribute.s.decode("utf-8"),
    "ints": lambda attribute: list(attribute.ints),
    "floats": lambda attribute: list(attribute.floats),
}
_CONSTANTS = (bool, int, float, str, type(None))
Definition = tuple[str, bool, Any, Any]  # as CustomOp.get_nodeattr_def returns it: form, required, default, allowed


def adds_constants(define: object, kind: type) -> bool:
    """Whether a method that makes definitions names nothing but base classes and what puts dictionaries together."""
    if not isinstance(define, FunctionType) or hasattr(kind, "update"):
        return False
    code, names = define.__code__, define.__globals__
    if set(code.co_freevars) - {"__class__"} or any(isinstance(value, CodeType) for value in code.co_consts):
        return False
    return code.co_argcount == 1 and all(
        name not in names if name in _METHODS else any(names.get(name) is base for base in kind.__mro__)
        for name in code.co_names
    )


def find_definitions(kind: type) -> Mapping[str, Definition | None] | None:
    """Find the definitions that all nodes of a class have: None in place of one that only QONNX can use.

    They are made without a node, so nothing of a node can be in them. Returns None for a class of which that cannot
    be said.
    """
    if not all(adds_constants(vars(base)[_DEFINE], kind) for base in kind.__mro__ if _DEFINE in vars(base)):
        return None
    try:
        found: Mapping[str, Any] = getattr(object.__new__(kind), _DEFINE)()
    except (AttributeError, TypeError):
        return None
    return {name: _usable(definition) for name, definition in found.items()}


def _usable(definition: Any) -> Definition | None:
    if not isinstance(definition, tuple) or len(definition) not in (3, 4):
        return None
    form, required, default, allowed = (*definition, None)[:4]
    plain = all(type(part) in _CONSTANTS for part in (default if type(default) is list else [default]))
    known = isinstance(form, str) and form in _READERS and plain and (allowed is None or type(allowed) is set)
    return (form, required, default, allowed) if known else None


def copy_default(default: Any) -> Any:
    """Copy a default, which whoever gets it may change."""
    return list(default) if type(default) is list else default


class Definitions:
    """The definitions of each class of operations that a process has met."""

    def __init__(self) -> None:
        self._found: dict[type, Mapping[str, Definition | None] | None] = {}

    def find(self, kind: type) -> Mapping[str, Definition | None] | None:
        """Find the definitions that all nodes of a class have; see `find_definitions`."""
        if kind not in self._found:
            self._found[kind] = find_definitions(kind)
        return self._found[kind]


def find_attributes(operation: Any, name: str) -> list[Any]:
    """Find the attributes of a node that have this name: one, if it is set once.

    Where attributes are is remembered until their number or the last of them changes, as by each new one, and an
    attribute is looked at before it is taken.
    """
    attributes = operation.onnx_node.attribute
    places, last = vars(operation).get(_PLACES, _NOWHERE)
    place = places.get(name)
    if place is not None and len(places) == len(attributes) and attributes[-1] is last:
        found = attributes[place]
        if found.name == name:
            return [found]
    names = [attribute.name for attribute in attributes]
    places = {given: place for place, given in enumerate(names)}
    if name not in places:
        return []
    if len(places) == len(names):
        setattr(operation, _PLACES, (places, attributes[-1]))
        return [attributes[places[name]]]
    return [attributes[place] for place, given in enumerate(names) if given == name]


def define_attributes(by_qonnx: Callable[[Any, str], Any], definitions: Definitions) -> Callable[[Any, str], Any]:
    """Make the replacement of CustomOp.get_nodeattr_def, which raises KeyError for a name that is not defined."""

    def get_nodeattr_def(operation: Any, name: str) -> Any:
        found = definitions.find(type(operation))
        if found is None or (definition := found[name]) is None:
            return by_qonnx(operation, name)
        form, required, default, allowed = definition
        # A copy of a set may have another order, in which a message would list it.
        return by_qonnx(operation, name) if allowed is not None else (form, required, copy_default(default), None)

    return get_nodeattr_def


def read_attributes(
    by_qonnx: Callable[[Any, str], Any], definitions: Definitions, define: object
) -> Callable[[Any, str], Any]:
    """Make the replacement of CustomOp.get_nodeattr; `define` is CustomOp.get_nodeattr_def of most classes.

    QONNX itself reads what is defined or set otherwise, and raises what it raises.
    """

    def get_nodeattr(operation: Any, name: str) -> Any:
        kind = type(operation)
        known = definitions.find(kind) if kind.get_nodeattr_def is define else None
        definition = None if known is None else known.get(name)
        if definition is None:
            return by_qonnx(operation, name)
        form, required, default, allowed = definition
        found = find_attributes(operation, name)
        if len(found) == 1:
            value = _READERS[form](found[0])
            if allowed is None or value in allowed:
                return value
        elif not found and not required:
            return copy_default(default)
        return by_qonnx(operation, name)

    return get_nodeattr
