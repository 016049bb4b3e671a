"""Shortcuts through QONNX: what they find, name, sort and round is what QONNX does, for any graph."""

import copy
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from bskernel_executors.sdk import qonnx_shortcuts
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation import general
from qonnx.util import basic

if general.SortGraph.apply.__module__ != general.__name__:
    raise ValueError("this process has taken the shortcuts already, so that nothing is left to compare them with")

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
        qonnx_shortcuts.give_unique_names(general.GiveUniqueTensorNames.apply),
    ),
    "GiveReadableTensorNames": (
        general.GiveReadableTensorNames.apply,
        qonnx_shortcuts.give_readable_names(general.GiveReadableTensorNames.apply, general.GiveUniqueTensorNames),
    ),
    "GiveUniqueParameterTensors": (
        general.GiveUniqueParameterTensors.apply,
        qonnx_shortcuts.give_unique_parameters,
    ),
    "SortGraph": (general.SortGraph.apply, qonnx_shortcuts.sort_graph(general.SortGraph.apply)),
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
        ours = said(qonnx_shortcuts.get_by_name, container, name, field)
        assert ours == said(basic.get_by_name, container, name, field)
    for typed in (False, True):
        assert repr(qonnx_shortcuts.get_initializer(model, name, typed)) == repr(model.get_initializer(name, typed))


@st.composite
def tensors(draw: st.DrawFn) -> list[float]:
    """Values near those of data types: whole numbers, some a little off, some that are no numbers."""
    off = st.sampled_from((0.0, 0.0, 0.0, 0.004, 0.3, float("nan"), float("inf")))
    return [whole + draw(off) for whole in draw(st.lists(st.integers(-3, 9), max_size=4))]


@given(
    names=st.lists(st.sampled_from(("a", "b", "c")), max_size=3),
    types=st.lists(st.sampled_from(("INT2", "UINT3", "BIPOLAR", "BINARY", "FLOAT32", "FIXED<4,2>", "SCALEDINT<4>"))),
    values=st.lists(tensors(), min_size=2, max_size=2),
    check=st.booleans(),
)
@pytest.mark.filterwarnings("ignore")
def test_values_are_rounded_and_refused_as_by_qonnx(
    names: list[str], types: list[str], values: list[list[float]], check: bool
) -> None:
    graph = helper.make_graph(
        [], "g", [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("a", "b", "c")], []
    )
    model = ModelWrapper(helper.make_model(graph), fix_missing_initializer_valueinfo=False)
    for name, datatype in zip(("a", "b", "c"), types, strict=False):
        model.set_tensor_datatype(name, DataType[datatype])

    def rounded(sanitize: Callable[..., Any]) -> tuple[str, dict[str, bytes]]:
        context = {name: np.array(items, np.float32) for name, items in zip(("a", "b"), values, strict=True)}
        try:
            said = str(sanitize(model, names, context, check) is context)
        except Exception as error:  # noqa: BLE001 - as above
            said = f"{type(error).__name__}: {error}"
        return said, {name: array.tobytes() for name, array in context.items()}

    ours = qonnx_shortcuts.round_values_with(basic.sanitize_quant_values)
    assert rounded(ours) == rounded(basic.sanitize_quant_values)


def test_values_that_are_right_are_not_looked_at_one_by_one() -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("left to QONNX")

    graph = helper.make_graph([], "g", [helper.make_tensor_value_info("a", TensorProto.FLOAT, [3])], [])
    model = ModelWrapper(helper.make_model(graph))
    model.set_tensor_datatype("a", DataType["INT3"])
    context = {"a": np.array([-4, 0, 3], np.float32)}
    assert qonnx_shortcuts.round_values_with(refuse)(model, ["a"], context) is context


def test_a_chain_is_renamed_without_qonnx() -> None:
    """The quick way is taken for what builds consist of, or nothing would be gained."""

    def refuse(*_: object) -> None:
        raise AssertionError("left to QONNX")

    nodes = [helper.make_node("Add", [f"t{at}", f"w{at}"], [f"t{at + 1}"], name=f"Add_{at}") for at in range(3)]
    values = [helper.make_tensor_value_info(f"t{at}", TensorProto.FLOAT, [2]) for at in range(4)]
    constants = [numpy_helper.from_array(np.array([1, 2], np.float32), f"w{at}") for at in range(3)]
    graph = helper.make_graph(nodes[::-1], "g", values[:1], values[3:], constants, value_info=values[1:3])
    model = ModelWrapper(helper.make_model(graph))
    model, _ = qonnx_shortcuts.give_unique_names(refuse)(None, model)
    model, _ = qonnx_shortcuts.give_readable_names(refuse, general.GiveUniqueNodeNames)(None, model)
    model, _ = qonnx_shortcuts.sort_graph(refuse)(None, model)
    assert [node.output[0] for node in model.graph.node] == ["Add_2_out0", "Add_1_out0", "global_out"]


REPLACED = """
from bskernel_executors.sdk.qonnx_shortcuts import get_by_name, install_shortcuts
assert install_shortcuts()
from qonnx.transformation import extract_conv_bias, general, infer_datatypes
import qonnx.core.datatype, qonnx.custom_op.base, qonnx.util.basic
for module in (qonnx.util.basic, qonnx.custom_op.base):
    print(module.get_by_name is get_by_name)
print(general.SortGraph.apply.__module__)
print(qonnx.custom_op.base.CustomOp.get_nodeattr.__module__)
print(type(qonnx.core.datatype.DataType["INT8"]).allowed.__module__)
import qonnx.transformation.infer_shapes
print(qonnx.transformation.infer_shapes.si.infer_shapes.__module__)
"""


def test_modules_that_are_imported_later_use_them() -> None:
    done = subprocess.run([sys.executable, "-c", REPLACED], capture_output=True, text=True, check=True)
    modules = ("qonnx_shortcuts", "attribute_shortcuts", "datatype_shortcuts", "shape_shortcuts")
    assert done.stdout.split() == ["True", "True", *(f"bskernel_executors.sdk.{name}" for name in modules)]


def test_another_qonnx_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = basic.get_by_name
    monkeypatch.setitem(qonnx_shortcuts._REPLACED, "util/basic.py", "0" * 64)
    assert not qonnx_shortcuts.install_shortcuts()
    assert basic.get_by_name is before
