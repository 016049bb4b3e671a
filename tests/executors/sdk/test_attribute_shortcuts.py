"""Shortcuts through nodes: an attribute's value, its definition, and what is raised in their place, are QONNX's."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from bskernel_executors.sdk.attribute_shortcuts import (
    Definitions,
    define_attributes,
    find_definitions,
    read_attributes,
)
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, helper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.general.multithreshold import MultiThreshold

if CustomOp.get_nodeattr.__module__ != CustomOp.__module__:
    raise ValueError("this process has taken the shortcuts already, so that nothing is left to compare them with")


class Layer(CustomOp):  # type: ignore[misc]
    """A layer with definitions of all forms."""

    def get_nodeattr_types(self) -> Any:
        """Definitions that are constants."""
        return {
            "PE": ("i", True, 0),
            "scale": ("f", False, 1.5),
            "style": ("s", False, "auto", {"auto", "block", "distributed", "ultra", "none", "x"}),
            "flag": ("i", False, 0, {0, 1}),
            "dims": ("ints", False, [1]),
            "weights": ("floats", True, []),
            "texts": ("strings", False, ["a"]),
            "values": ("t", False, None),
            "short": ("i", True),
        }

    def make_shape_compatible_op(self, model: Any) -> Any: ...
    def infer_node_datatype(self, model: Any) -> Any: ...
    def execute_node(self, context: Any, graph: Any) -> Any: ...
    def verify_node(self) -> Any: ...


class Backend(Layer):
    """What other layers add to, as in FINN."""

    def get_nodeattr_types(self) -> Any:
        """Those of its base, and one more."""
        found = super().get_nodeattr_types()
        found.update({"code": ("s", False, "")})
        return found


class LayerInCode(Backend):
    """A layer with a backend."""

    def get_nodeattr_types(self) -> Any:
        """Own ones, and those of a base, of which the later hold."""
        found: dict[str, Any] = {"PE": ("i", False, 7), "own": ("i", False, 3)}
        found.update(Backend.get_nodeattr_types(self))
        found.update({"style": ("s", True, "block")})
        return found


class Container(Layer):
    """A layer whose definitions depend on the node, as those of FINN's loops."""

    def get_nodeattr_types(self) -> Any:
        """One for each output."""
        found = {f"body{at}": ("i", False, at) for at, _ in enumerate(self.onnx_node.output)}
        found.update(Layer.get_nodeattr_types(self))
        return found


class Node:
    """No node."""

    output: tuple[str, ...] = ()


class Seen(Layer):
    """A layer whose definitions count how often they are made."""

    made: ClassVar[list[int]] = []

    def get_nodeattr_types(self) -> Any:
        """One more each time."""
        self.made.append(1)
        return {"PE": ("i", False, len(self.made))}


class Optional(Layer):
    """A layer whose definitions can be asked for in two ways."""

    def get_nodeattr_types(self, more: bool = True) -> Any:
        """Those of a layer, or none."""
        return Layer.get_nodeattr_types(self) if more else {}


class Counted(Layer):
    """A layer that asks its node without naming it first."""

    def get_nodeattr_types(self) -> Any:
        """One whose default is the number of outputs."""
        return {"PE": ("i", False, len(getattr(self, "onnx_node", Node()).output))}


KINDS = (Layer, LayerInCode, Container)
NAMES = (*Layer.get_nodeattr_types(None), "code", "own", "body0", "body1", "other")  # type: ignore[arg-type]
VALUES: tuple[Any, ...] = (0, 1, 5, 2.5, "auto", "block", "y", [1, 2], [1.5], ["p", "q"])


@st.composite
def attributes(draw: st.DrawFn) -> AttributeProto:
    """An attribute, perhaps of another type than its definition says."""
    return helper.make_attribute(draw(st.sampled_from(NAMES)), draw(st.sampled_from(VALUES)))


def outcome(call: Callable[..., Any], *values: Any) -> tuple[Any, ...]:
    """What a call returns, with its type, or what it raises."""
    try:
        found = call(*values)
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)
    return type(found), str(found), found if isinstance(found, int | str | tuple | list | float) else None


def changes() -> st.SearchStrategy[tuple[Any, ...]]:
    """What is done to a node between two readings."""
    place = st.integers(0, 7)
    return st.one_of(
        st.tuples(st.just("read"), st.sampled_from(NAMES)),
        st.tuples(st.just("define"), st.sampled_from(NAMES)),
        st.tuples(st.just("set"), st.sampled_from(NAMES), st.sampled_from(VALUES)),
        st.tuples(st.just("add"), attributes()),
        st.tuples(st.just("remove"), place),
        st.tuples(st.just("replace"), place, attributes()),
    )


def with_shortcuts(kind: type[CustomOp], definitions: Definitions) -> type[CustomOp]:
    """The same class with the shortcuts, which QONNX's own methods call, too."""
    define = define_attributes(CustomOp.get_nodeattr_def, definitions)
    read = read_attributes(CustomOp.get_nodeattr, definitions, define)
    return type(kind.__name__, (kind,), {"get_nodeattr_def": define, "get_nodeattr": read})


DEFINITIONS = Definitions()
REPLACED = {kind: with_shortcuts(kind, DEFINITIONS) for kind in KINDS}


@given(st.sampled_from(KINDS), st.lists(attributes(), max_size=6), st.lists(changes(), max_size=12))
def test_what_is_read_and_set_and_raised_is_qonnxs(
    kind: type[CustomOp], given_first: list[AttributeProto], steps: list[tuple[Any, ...]]
) -> None:
    nodes = [helper.make_node("Layer", ["a"], ["b", "c"], name="Layer_0") for _ in range(2)]
    for node in nodes:
        node.attribute.extend(given_first)
    pair = [kind(nodes[0]), REPLACED[kind](nodes[1])]
    for what, *rest in steps:
        count = len(nodes[0].attribute)
        if what in ("remove", "replace") and rest[0] >= count:
            continue
        if what == "replace" and rest[1].name in [item.name for item in nodes[0].attribute]:
            continue  # an attribute that gets the name of another one in place, which nothing does
        if what == "read":
            mine, theirs = (outcome(operation.get_nodeattr, *rest) for operation in pair)
            assert mine == theirs
        elif what == "define":
            mine, theirs = (outcome(operation.get_nodeattr_def, *rest) for operation in pair)
            assert mine == theirs
        elif what == "set":
            mine, theirs = (outcome(operation.set_nodeattr, *rest) for operation in pair)
            assert mine == theirs
        else:
            for node in nodes:
                if what == "add":
                    node.attribute.append(rest[0])
                elif what == "remove":
                    del node.attribute[rest[0]]
                else:
                    node.attribute[rest[0]].CopyFrom(rest[1])
    assert nodes[0] == nodes[1]


def test_definitions_of_constants_are_made_once_for_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    operation = with_shortcuts(LayerInCode, Definitions())(helper.make_node("Layer", [], ["b"], PE=2))
    assert operation.get_nodeattr("PE") == 2

    def refuse(_: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(LayerInCode, "get_nodeattr_types", refuse)
    assert [operation.get_nodeattr(name) for name in ("PE", "code", "dims", "own")] == [2, "", [1], 3]


@pytest.mark.parametrize("kind", [Container, Seen, Optional, Counted])
def test_definitions_that_may_differ_from_node_to_node_are_made_for_each(kind: type[CustomOp]) -> None:
    assert find_definitions(kind) is None


def test_a_default_that_its_reader_changes_stays_the_default() -> None:
    operation = with_shortcuts(Layer, Definitions())(helper.make_node("Layer", [], ["b"]))
    operation.get_nodeattr("dims").append(2)
    operation.get_nodeattr_def("dims")[2].append(3)
    assert operation.get_nodeattr("dims") == [1]


def test_a_second_attribute_of_a_name_is_noticed_after_the_first_was_read() -> None:
    node = helper.make_node("Layer", [], ["b"], PE=2, own=1)
    operation = with_shortcuts(LayerInCode, Definitions())(node)
    assert operation.get_nodeattr("PE") == 2
    node.attribute.remove(next(item for item in node.attribute if item.name == "own"))
    node.attribute.append(helper.make_attribute("PE", 3))
    with pytest.raises(Exception, match="multiple"):
        operation.get_nodeattr("PE")


def test_a_layer_of_qonnxs_own_is_known() -> None:
    known = find_definitions(MultiThreshold)
    assert known is not None
    assert known["out_scale"] == ("f", False, 1.0, None)
