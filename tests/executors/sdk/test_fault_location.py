"""Locate the node that an exception is about."""

from dataclasses import dataclass, field
from typing import Any

from bskernel_executors.sdk.fault_location import locate_fault


@dataclass
class Attribute:
    """Looks as ONNX's AttributeProto does."""

    name: str
    type: int
    i: int = 0
    ints: list[int] = field(default_factory=list)


@dataclass
class Node:
    """Looks as ONNX's NodeProto does."""

    op_type: str
    name: str
    attribute: list[Attribute] = field(default_factory=list)
    input: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=lambda: ["out"])


def raised(function: Any, *arguments: Any) -> BaseException:
    try:
        function(*arguments)
    except ValueError as error:
        return error
    raise AssertionError("nothing was raised")


def inner(node: Node, text: str) -> None:
    raise ValueError(text)


def walk(nodes: list[Node], text: str) -> None:
    for producer in nodes:
        node = nodes[0]
        if producer is nodes[-1]:
            raise ValueError(text)
    assert node


CONV = Node("Conv", "Conv_0", [Attribute("group", 2, i=2), Attribute("strides", 7, ints=[1, 1])])


def test_the_node_that_the_innermost_function_works_on_is_located() -> None:
    fault = locate_fault(raised(inner, CONV, "no"))
    assert fault is not None
    assert (fault.name, fault.operator) == ("Conv_0", "Conv")
    assert fault.attributes == {"group": "2", "strides": "[1, 1]"}


def test_of_several_nodes_the_one_that_the_text_names_is_located() -> None:
    nodes = [CONV, Node("Relu", "Relu_3")]
    for text, name in (("Relu_3 is wrong", "Relu_3"), ("something is wrong", "Conv_0")):
        fault = locate_fault(raised(walk, nodes, text))
        assert fault is not None
        assert fault.name == name


def test_where_there_is_no_node_none_is_located() -> None:
    assert locate_fault(raised(int, "many")) is None
