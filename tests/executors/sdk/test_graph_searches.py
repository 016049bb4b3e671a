"""Searches of our own in QONNX's graphs: what they find, name and sort is what QONNX does, for any graph."""

import copy
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from bskernel_executors.sdk import graph_searches
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation import general
from qonnx.util import basic

# Few names, so that they meet: some that QONNX gives, some that occur twice, and the empty one of what is left out.
NAMES = ("a", "b", "c", "d", "", "tensor_0", "tensor_3", "Add_0_out0", "Add_1_param0", "global_in", "global_out")


@st.composite
def graphs(draw: st.DrawFn, names: tuple[str, ...] = NAMES) -> onnx.ModelProto:
    """Graphs as no exporter writes them: names that occur in several places, unsorted nodes, several producers."""
    name = st.sampled_from(names)
    nodes = [
        helper.make_node(
            draw(st.sampled_from(("Add", "Mul", "Relu"))),
            draw(st.lists(name, max_size=3)),
            draw(st.lists(name, min_size=1, max_size=2)),
            name=draw(st.sampled_from(("Add_0", "Add_1", "Mul_0", "n", f"n{at}", f"n{at}", ""))),
        )
        for at in range(draw(st.integers(1, 6)))
    ]

    def values(most: int) -> list[onnx.ValueInfoProto]:
        found = draw(st.lists(name, max_size=most))
        return [helper.make_tensor_value_info(item, TensorProto.FLOAT, [2]) for item in found]

    graph = helper.make_graph(
        nodes,
        "g",
        values(2),
        values(2),
        initializer=[
            numpy_helper.from_array(np.array([1, 2], np.float32), item) for item in draw(st.lists(name, max_size=3))
        ],
        value_info=values(5),
    )
    for item in draw(st.lists(name, max_size=2)):
        annotation = graph.quantization_annotation.add(tensor_name=item)
        annotation.quant_parameter_tensor_names.add(key="finn_datatype", value="INT2")
    return helper.make_model(graph)


def outcome(apply: Callable[..., Any], name: str, proto: onnx.ModelProto) -> tuple[str, bytes]:
    """What a transformation of a copy of the model says, and leaves; both sides draw the same random names."""
    random.seed(7)
    model = ModelWrapper(copy.deepcopy(proto), fix_missing_initializer_valueinfo=False)
    try:
        changed, again = apply(getattr(general, name)(), model)
    except Exception as error:  # noqa: BLE001 - QONNX raises what it likes, and so must we
        return f"{type(error).__name__}: {error}", b""
    return str(again), changed.model.SerializeToString()


PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "GiveUniqueTensorNames": (
        general.GiveUniqueTensorNames.apply,
        graph_searches.give_unique_names(general.GiveUniqueTensorNames.apply),
    ),
    "GiveReadableTensorNames": (
        general.GiveReadableTensorNames.apply,
        graph_searches.give_readable_names(general.GiveReadableTensorNames.apply, general.GiveUniqueTensorNames),
    ),
    "GiveUniqueParameterTensors": (
        general.GiveUniqueParameterTensors.apply,
        graph_searches.give_unique_parameters,
    ),
    "SortGraph": (general.SortGraph.apply, graph_searches.sort_graph(general.SortGraph.apply)),
}


@pytest.mark.parametrize("name", PAIRS)
@given(proto=graphs())
def test_a_transformation_leaves_what_qonnx_leaves(name: str, proto: onnx.ModelProto) -> None:
    by_qonnx, ours = PAIRS[name]
    assert outcome(ours, name, proto) == outcome(by_qonnx, name, proto)


@pytest.mark.parametrize("name", PAIRS)
@given(proto=graphs(("a", "b", "c", "d", "e", "f", "g", "h")))
def test_it_does_so_for_graphs_of_ordinary_names(name: str, proto: onnx.ModelProto) -> None:
    by_qonnx, ours = PAIRS[name]
    assert outcome(ours, name, proto) == outcome(by_qonnx, name, proto)


@given(proto=graphs(), name=st.sampled_from(NAMES), field=st.sampled_from(("name", "key", "tensor_name")))
def test_searches_find_what_qonnx_finds(proto: onnx.ModelProto, name: str, field: str) -> None:
    model = ModelWrapper(proto, fix_missing_initializer_valueinfo=False)

    def said(find: Callable[..., Any], *values: Any) -> str:
        try:
            return repr(find(*values))
        except Exception as error:  # noqa: BLE001 - as above
            return f"{type(error).__name__}: {error}"

    graph = proto.graph
    for container in (graph.node, graph.input, graph.value_info, graph.quantization_annotation):
        ours = said(graph_searches.get_by_name, container, name, field)
        assert ours == said(basic.get_by_name, container, name, field)
    assert graph_searches.find_producer(model, name) is model.find_producer(name)
    for typed in (False, True):
        assert repr(graph_searches.get_initializer(model, name, typed)) == repr(model.get_initializer(name, typed))


def test_a_chain_is_renamed_without_qonnx() -> None:
    """The quick way is taken for what builds consist of, or nothing would be gained."""

    def refuse(*_: object) -> None:
        raise AssertionError("left to QONNX")

    nodes = [helper.make_node("Add", [f"t{at}", f"w{at}"], [f"t{at + 1}"], name=f"Add_{at}") for at in range(3)]
    values = [helper.make_tensor_value_info(f"t{at}", TensorProto.FLOAT, [2]) for at in range(4)]
    constants = [numpy_helper.from_array(np.array([1, 2], np.float32), f"w{at}") for at in range(3)]
    graph = helper.make_graph(nodes[::-1], "g", values[:1], values[3:], constants, value_info=values[1:3])
    model = ModelWrapper(helper.make_model(graph))
    model, _ = graph_searches.give_unique_names(refuse)(None, model)
    model, _ = graph_searches.give_readable_names(refuse, general.GiveUniqueNodeNames)(None, model)
    model, _ = graph_searches.sort_graph(refuse)(None, model)
    assert [node.output[0] for node in model.graph.node] == ["Add_2_out0", "Add_1_out0", "global_out"]


REPLACED = """
from bskernel_executors.sdk.graph_searches import get_by_name, replace_searches
assert replace_searches()
from qonnx.transformation import extract_conv_bias, general, infer_datatypes
import qonnx.util.basic, qonnx.custom_op.base
for module in (qonnx.util.basic, qonnx.custom_op.base):
    print(module.get_by_name is get_by_name)
print(general.SortGraph.apply.__module__)
"""


def test_modules_that_are_imported_later_use_them() -> None:
    done = subprocess.run([sys.executable, "-c", REPLACED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "bskernel_executors.sdk.graph_searches"]


def test_another_qonnx_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = basic.get_by_name
    monkeypatch.setitem(graph_searches._REPLACED, "util/basic.py", "0" * 64)
    assert not graph_searches.replace_searches()
    assert basic.get_by_name is before
