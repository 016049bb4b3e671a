"""What `describe` says of a network, and that it looks at models that a build refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from bskernel.scaffold.network import read_description
from bskernel_executors.qonnx_transform.description import NetworkDescription, describe_model
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from support.seeded_networks import make_cnn, make_mlp

DOMAIN = "finn.custom_op.fpgadataflow.hls"


def describe(model: Any) -> NetworkDescription:
    return describe_model(ModelWrapper(model))


def without_quantizers() -> Any:
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), "w")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, length])
        for name, length in zip("xy", (6, 4), strict=True)
    ]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "net", ends[:1], ends[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def of_unknown_size(model: Any) -> Any:
    for at in (0, 2):
        dim = model.graph.input[0].type.tensor_type.shape.dim[at]
        dim.Clear()
        dim.dim_param = "size"
    return model


def of_fractions(model: Any) -> Any:
    """The network without the data type of its input, and without the quantizer that reads it."""
    del model.graph.quantization_annotation[:]
    name = model.graph.input[0].name
    for node in list(model.graph.node):
        if node.op_type == "Quant" and node.input[0] == name:
            for reader in model.graph.node:
                reader.input[:] = [name if item == node.output[0] else item for item in reader.input]
            model.graph.node.remove(node)
    return model


def test_a_quantized_network_has_nothing_in_its_way() -> None:
    found = describe(make_cnn(0))
    assert found.stages == ("qonnx",)
    assert found.problems == ()
    assert [layer.operator for layer in found.layers] == ["Conv", "MatMul"]
    for layer in found.layers:
        assert layer.quantized
        assert layer.macs
        assert layer.weight_datatype is not None
        assert layer.input_datatype is not None
    (given,) = found.inputs
    assert all(isinstance(size, int) for size in given.shape or ("?",))
    assert given.datatype != "FLOAT32"


def test_a_network_without_quantizers_fails_with_the_way_to_quantize_it() -> None:
    found = describe(without_quantizers())
    assert found.stages == ("onnx",)
    (problem,) = found.problems
    assert problem.fails
    assert "not quantized" in problem.what
    assert "export_qonnx" in str(problem.remedy)
    assert not any(layer.quantized for layer in found.layers)


def test_an_unknown_size_is_shown_by_its_name_and_gives_an_example_of_the_setting() -> None:
    found = describe(of_unknown_size(make_cnn(0)))
    assert found.inputs[0].shape is not None
    assert found.inputs[0].shape[2] == "size"
    (problem,) = found.problems
    assert problem.fails
    assert problem.setting is not None
    assert problem.setting.name == "override_input_size"
    assert len(problem.setting.value) == 4
    assert all(isinstance(size, int) for size in problem.setting.value)
    assert len(found.layers) == 2  # what needs no size is described all the same


def test_an_input_of_fractions_leaves_its_layer_to_the_host_and_names_the_setting() -> None:
    found = describe(of_fractions(make_mlp(0)))
    (problem,) = found.problems
    assert problem.setting is not None
    assert (problem.setting.step, problem.setting.name) == ("adapt", "input_datatype")
    assert not found.layers[0].quantized
    assert found.inputs[0].datatype == "FLOAT32"


def test_a_hardware_graph_is_described_without_being_adapted() -> None:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MVAU_hls", ["x"], ["y"], domain=DOMAIN)], "hw", ends[:1], ends[1:])
    found = describe(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))
    assert found.stages == ("hwgraph",)
    assert found.problems == ()
    assert found.layers == ()


def test_an_unknown_operator_is_named() -> None:
    model = make_mlp(0)
    model.graph.node[-1].domain, model.graph.node[-1].op_type = "of.nobody", "Guess"
    found = describe(model)
    assert any("of.nobody" in problem.what for problem in found.problems)


@pytest.mark.parametrize("make", [make_mlp, make_cnn])
def test_the_kernel_reads_what_the_executor_writes(make: Any) -> None:
    found = describe(of_unknown_size(make(0)) if make is make_cnn else of_fractions(make(0)))
    read = read_description(msgspec.json.encode(found))
    assert msgspec.to_builtins(read) == msgspec.to_builtins(found)
