"""Names that were used twice: each node reads the tensor that was computed last before it."""

from __future__ import annotations

from typing import Any

from bskernel_executors.qonnx_transform.adaptation.names import mend_names, unique_name
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

NAMES = ["a", "b", "c"]


def interpret(model: Any) -> list[str]:
    """What the outputs hold, as expressions over the input: a node at a time, in their order."""
    values = {value.name: value.name for value in model.graph.input}
    for at, node in enumerate(model.graph.node):
        values[node.output[0]] = f"{at}({', '.join(values[name] for name in node.input)})"
    return [values[value.name] for value in model.graph.output]


@st.composite
def models(draw: st.DrawFn) -> Any:
    defined, nodes = ["a"], []
    for _ in range(draw(st.integers(1, 8))):
        inputs = draw(st.lists(st.sampled_from(defined), min_size=1, max_size=2))
        output = draw(st.sampled_from(NAMES))
        nodes.append(helper.make_node("Sum", inputs, [output], name=draw(st.sampled_from(["", "x", "Sum_1"]))))
        defined.append(output)
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("a", nodes[-1].output[0])]
    return helper.make_model(helper.make_graph(nodes, "g", value[:1], value[1:]))


@given(models())
def test_every_name_means_one_thing_and_the_network_is_the_same(model: Any) -> None:
    expected = interpret(model)
    mend_names(model)
    assert interpret(model) == expected
    names = [node.name for node in model.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    tensors = ["a", *(node.output[0] for node in model.graph.node)]
    assert len(set(tensors)) == len(tensors)
    assert mend_names(model) == []


@given(st.lists(st.sampled_from(["a", "a_1", "a_1_1"]), max_size=9))
def test_a_unique_name_was_not_there(wanted: list[str]) -> None:
    taken: set[str] = set()
    given_names = [unique_name(name, taken) for name in wanted]
    assert len(set(given_names)) == len(wanted)
    assert taken == set(given_names)
