"""Exports with quirks: what comes out computes what went in, and every change is reported."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import onnx
import pytest
from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation import adapter
from bskernel_executors.qonnx_transform.adaptation.adapter import adapt_model, make_summary
from bskernel_executors.qonnx_transform.adaptation.mends import MENDS, Mend, MendName
from bskernel_executors.sdk import StepFailure
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from support.seeded_networks import QONNX, Network, draw_frame, execute, make_cnn, make_mlp

Quirk = Callable[[Any], None]  # changes a model in place, but not what it computes


def in_double_precision(model: Any) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE


def scales_in_half_precision(model: Any) -> None:
    scales = {node.input[1] for node in model.graph.node if node.op_type == "Quant"}
    for tensor in model.graph.initializer:
        if tensor.name in scales:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))


def without_default_attributes(model: Any) -> None:
    for node in model.graph.node:
        left_out = {
            "Conv": {"strides", "pads", "dilations", "group", "kernel_shape"},
            "MaxPool": {"pads"},
            "Quant": {"signed", "narrow", "rounding_mode"} if "Quant_0_out0" in node.output else set(),
        }.get(node.op_type, set())
        kept = [attribute for attribute in node.attribute if attribute.name not in left_out]
        del node.attribute[:]
        node.attribute.extend(kept)


def parameters_of_shape_one(model: Any) -> None:
    parameters = {name for node in model.graph.node if node.op_type == "Quant" for name in node.input[1:]}
    for tensor in model.graph.initializer:
        if tensor.name in parameters:
            tensor.dims.append(1)


def bits_as_integers(model: Any) -> None:
    bits = {node.input[3] for node in model.graph.node if node.op_type == "Quant"}
    for tensor in model.graph.initializer:
        if tensor.name in bits:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.int64), tensor.name))


def of_brevitas_domain(model: Any) -> None:
    for node in model.graph.node:
        node.domain = "onnx.brevitas" if node.domain else ""
    for entry in model.opset_import[1:]:
        entry.domain = "onnx.brevitas"


def of_any_domain(model: Any) -> None:
    for node in model.graph.node:
        node.domain = "somebody" if node.op_type == "Quant" else node.domain


def of_no_domain(model: Any) -> None:
    for node in model.graph.node:
        node.domain = ""
    del model.opset_import[1:]


def with_the_other_name_of_quant(model: Any) -> None:
    for node in model.graph.node:
        node.op_type = "IntQuant" if node.op_type == "Quant" else node.op_type


def with_an_unused_input(model: Any) -> None:
    model.graph.input.append(helper.make_tensor_value_info("spare", TensorProto.FLOAT, [1, 3]))


def with_unused_nodes(model: Any) -> None:
    for at, name in enumerate((model.graph.node[0].output[0], "unused_0")):
        model.graph.node.append(helper.make_node("Neg", [name], [f"unused_{at}"], name=f"spare_{at}"))


def without_import(model: Any) -> None:
    del model.opset_import[1:]


def with_initializers_as_inputs(model: Any) -> None:
    given = list(model.graph.input)
    del model.graph.input[:]
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    model.graph.input.extend(given)


def without_names(model: Any) -> None:
    for node in model.graph.node:
        node.name = ""


def with_one_name_for_all(model: Any) -> None:
    for node in model.graph.node:
        node.name = "layer"


def exported_elsewhere(model: Any) -> None:
    model.doc_string = "exported by somebody"
    model.metadata_props.add(key="source", value="/home/somebody/train.py")
    for holder in (model.graph, *model.graph.node, *model.graph.input, *model.graph.initializer):
        holder.doc_string = "/home/somebody/net.py(12): forward"
        holder.metadata_props.add(key="pkg.torch.onnx.stack_trace", value='File "/home/somebody/net.py", line 12')


def of_a_newer_ir(model: Any) -> None:
    model.ir_version = 99


def of_a_newer_opset(model: Any) -> None:
    model.opset_import[0].version = 24


def with_no_operations(model: Any) -> None:
    graph = model.graph
    for at, (kind, domain) in enumerate((("Identity", ""), ("Dropout", ""), ("DebugMarker", "somebody"))):
        node = graph.node[2 * at + 1]
        inner = f"{node.output[0]}_{kind}"
        extra = [helper.make_node(kind, [inner], [node.output[0]], name=f"extra_{at}", domain=domain)]
        node.output[0] = inner
        position = list(graph.node).index(node)
        for made in extra:
            graph.node.insert(position + 1, made)
    last = graph.node[-1]
    inner = f"{last.output[0]}_inner"
    graph.node.append(helper.make_node("Identity", [inner], [last.output[0]], name="extra_end"))
    last.output[0] = inner


def with_a_dynamic_batch(model: Any) -> None:
    given = next(value for value in model.graph.input if value.name == "input")
    for value in (given, *model.graph.output):
        dim = value.type.tensor_type.shape.dim[0]
        dim.Clear()
        dim.dim_param = "batch"


QUIRKS: dict[Quirk, MendName] = {
    exported_elsewhere: "metadata",
    without_names: "names",
    with_one_name_for_all: "names",
    of_brevitas_domain: "domains",
    of_any_domain: "domains",
    of_no_domain: "domains",
    without_import: "domains",
    with_the_other_name_of_quant: "quantizers",
    with_an_unused_input: "inputs",
    with_unused_nodes: "no_operations",
    with_initializers_as_inputs: "inputs",
    in_double_precision: "precision",
    scales_in_half_precision: "precision",
    parameters_of_shape_one: "quantizers",
    bits_as_integers: "quantizers",
    of_a_newer_ir: "opset",
    of_a_newer_opset: "opset",
    with_a_dynamic_batch: "batch",
    without_default_attributes: "attributes",
    with_no_operations: "no_operations",
}
# The others need the names or the domain as they are.
LAST = [with_the_other_name_of_quant, of_brevitas_domain, of_any_domain, of_no_domain, without_import, without_names]
ORDER = [*(quirk for quirk in QUIRKS if quirk not in LAST), *LAST]


def test_a_network_that_needs_nothing_comes_out_as_it_went_in() -> None:
    for make in (make_mlp, make_cnn):
        model = make(0)
        before = model.SerializeToString(deterministic=True)
        adaptation = adapt_model(model)
        assert adaptation.changes == ()
        assert make_summary(adaptation) == []
        assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.__name__)
def test_each_quirk_is_mended_under_its_name_and_left_when_skipped(quirk: Quirk) -> None:
    model = make_cnn(1)
    quirk(model)
    untouched = copy.deepcopy(model)
    kinds = {change.kind for change in adapt_model(model).changes}
    assert QUIRKS[quirk] in kinds
    skipped = adapt_model(untouched, skip=[QUIRKS[quirk]])
    assert skipped.skipped == (QUIRKS[quirk],)
    assert QUIRKS[quirk] not in {change.kind for change in skipped.changes}


@given(st.sets(st.sampled_from(ORDER)), st.sampled_from([make_mlp, make_cnn]), st.integers(0, 99))
@settings(max_examples=40)
def test_a_network_with_any_quirks_computes_what_it_did_and_needs_nothing_more(
    quirks: set[Quirk], make: Callable[[int], Any], seed: int
) -> None:
    sound = make(seed)
    model = copy.deepcopy(sound)
    for quirk in ORDER:
        if quirk in quirks:
            quirk(model)
    adapt_model(model)
    onnx.checker.check_model(model, full_check=False)
    shape = [dim.dim_value for dim in sound.graph.input[0].type.tensor_type.shape.dim]
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == shape
    inputs = {"input": draw_frame(seed, *shape)}
    for expected, found in zip(execute(sound, inputs), execute(model, inputs), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert adapt_model(model).changes == ()


@given(st.sets(st.sampled_from(ORDER)), st.integers(0, 99))
@settings(max_examples=20)
def test_the_same_network_exported_elsewhere_has_the_same_bytes(quirks: set[Quirk], seed: int) -> None:
    here, there = make_cnn(seed), make_cnn(seed)
    for quirk in ORDER:
        if quirk in quirks - {exported_elsewhere}:
            quirk(here)
            quirk(there)
    exported_elsewhere(there)
    adapt_model(here)
    adapt_model(there)
    assert here.SerializeToString(deterministic=True) == there.SerializeToString(deterministic=True)


def test_removed_metadata_is_told_by_family() -> None:
    model = make_mlp(0)
    exported_elsewhere(model)
    first, second = adapt_model(model).changes
    assert first.before == "metadata pkg.torch.*, source"
    assert second.before.endswith(" doc strings")


def test_paths_in_any_name_of_the_producer_are_taken_out() -> None:
    model = make_mlp(0)
    model.producer_name, model.graph.name = "/home/somebody/export.py", "C:\\nets\\net"
    adapt_model(model)
    data = model.SerializeToString()
    assert b"somebody" not in data
    assert b"nets" not in data


def test_a_summary_has_a_row_per_kind_with_the_count_and_the_first_nodes() -> None:
    model = make_cnn(0)
    of_brevitas_domain(model)
    in_double_precision(model)
    rows = make_summary(adapt_model(model))
    assert [(row["label"], row["value"]) for row in rows] == [("adapted domains", "1"), ("adapted precision", "1")]
    assert rows[0]["note"] == (
        "Quant_0, Quant_1, Quant_2 and 1 more: domain onnx.brevitas -> domain qonnx.custom_op.general"
    )
    assert rows[1]["note"].endswith("float64 -> float32; no value changes")


def test_a_value_that_moves_when_it_is_rounded_to_single_precision_is_told() -> None:
    model = make_mlp(0)
    in_double_precision(model)
    weights = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 2)
    values = numpy_helper.to_array(weights) + 1e-12
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    (change,) = adapt_model(model).changes
    moved = np.count_nonzero(values.astype(np.float32) != values)
    assert change.after.startswith(f"float32; {moved} values change, by at most ")


def test_every_mend_has_one_name_that_can_be_skipped() -> None:
    assert tuple(mend.name for mend in MENDS) == get_args(MendName)


def test_a_mend_that_changes_what_the_network_computes_fails_the_step_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def double_the_first_scale(model: Any) -> list[Change]:
        scale = next(tensor for tensor in model.graph.initializer if tensor.name == model.graph.node[0].input[1])
        if numpy_helper.to_array(scale) > 0.2:
            return []
        scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * 2, scale.name))
        return [Change(kind="means", names=("Quant_0",), before="a scale", after="another", reason="it is wrong")]

    wrong = Mend(name="means", function=double_the_first_scale, compared=True)
    monkeypatch.setattr(adapter, "MENDS", tuple(wrong if mend.name == "means" else mend for mend in MENDS))
    model = make_cnn(0, batch=2)
    with pytest.raises(StepFailure, match=r"a scale cannot become another without changing .* \(Quant_0\)") as caught:
        adapt_model(model)
    assert 'skip = ["means"]' in str(caught.value.failure.hint)


def test_a_model_that_cannot_be_executed_as_it_came_is_mended_with_a_warning() -> None:
    network = Network(0, (1, 2, 6, 6))
    network.quantize()
    network.node("MaxPool", kernel_shape=[2, 2], strides=[3, 3], auto_pad="SAME_UPPER")  # for onnxruntime
    adaptation = adapt_model(network.model((1, 2, 2, 2)))
    assert adaptation.compared_frames == 0
    assert adaptation.not_compared is not None
    row = make_summary(adaptation)[-1]
    assert (row["label"], "is not verified" in row["value"]) == ("warning", True)


def hardware() -> Any:
    model = make_mlp(0)
    model.graph.node[1].domain, model.graph.node[1].name = "finn.custom_op.fpgadataflow.hls", ""
    return model


def branch() -> Any:
    model = make_mlp(0)
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], ["o"], name="If_0", then_branch=body, else_branch=body))
    return model


def foreign(domain: str, kind: str) -> Any:
    model = make_mlp(0)
    model.graph.node[3].domain, model.graph.node[3].op_type, model.graph.node[3].name = domain, kind, "strange"
    return model


def of_unknown_height() -> Any:
    model = make_cnn(0)
    dim = model.graph.input[0].type.tensor_type.shape.dim[2]
    dim.Clear()
    dim.dim_param = "height"
    return model


def with_swish() -> Any:
    network = Network(0, (1, 4))
    network.node("Swish")
    network.quantize()
    model = network.model((1, 4))
    model.opset_import[0].version = 24
    return model


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        (hardware(), "this is a hardware graph: 1 of its", "--input-type hwgraph"),
        (branch(), "If If_0 chooses at run time", "by tracing"),
        (foreign("com.microsoft", "FusedMatMul"), "FusedMatMul strange", "before onnxruntime optimized it"),
        (foreign("my.own", "Fancy"), "Fancy strange is of the domain my.own", "operators of ONNX"),
        (foreign(QONNX, "NoSuchOp"), "NoSuchOp strange", "operators of ONNX"),
        (foreign("", "NoSuchOp"), "ONNX has no operator NoSuchOp strange", "domain"),
        (of_unknown_height(), "dimension 2 (height) of input 'input'", "override_input_size = [1, 2, 32, 6]"),
        (with_swish(), "Swish Swish_0 needs opset 24", "opset 21 or older"),
    ],
)
def test_what_cannot_be_mended_is_refused_by_node_with_a_remedy(model: Any, message: str, hint: str) -> None:
    with pytest.raises(StepFailure) as caught:
        adapt_model(model)
    assert message in str(caught.value)
    assert hint in str(caught.value.failure.hint)


def test_the_input_gets_the_size_that_the_build_sets() -> None:
    model = of_unknown_height()
    adaptation = adapt_model(model, input_size=(1, 2, 6, 6))
    assert adaptation.changes[0].before == "shape [1, 2, height, 6]"
    frame = draw_frame(0, 1, 2, 6, 6)
    np.testing.assert_array_equal(execute(model, {"input": frame})[0], execute(make_cnn(0), {"input": frame})[0])
    with pytest.raises(StepFailure, match="override_input_size has 2 dimensions, but input 'input' has 4"):
        adapt_model(make_cnn(0), input_size=(1, 72))
