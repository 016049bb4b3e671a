"""The graph in an ONNX file, read by its wire format."""

from pathlib import Path

import onnx
import pytest
from bskernel.core.model_graph import ModelTensor
from bskernel.workspace.onnx_file import OnnxDamage
from bskernel.workspace.onnx_graph import read_graph
from onnx import TensorProto, helper


def written(folder: Path) -> Path:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4, 3], [0.0] * 12)
    product = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    fifo = helper.make_node("StreamingFIFO_rtl", ["y"], ["z"], name="fifo", domain="finn", depth=7, folded=[1, -3])
    graph = helper.make_graph(
        [product, fifo],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 3])],
        [weights],
        value_info=[helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
    )
    note = onnx.TensorAnnotation(tensor_name="x")
    note.quant_parameter_tensor_names.append(onnx.StringStringEntryProto(key="finn_datatype", value="UINT4"))
    graph.quantization_annotation.append(note)
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph), path)
    return path


def test_nodes_shapes_and_data_types_are_what_onnx_says(tmp_path: Path) -> None:
    graph = read_graph(written(tmp_path))
    assert [(node.name, node.operator, node.inputs, node.outputs) for node in graph.nodes] == [
        ("product", "MatMul", ("x", "w"), ("y",)),
        ("fifo", "StreamingFIFO_rtl", ("y",), ("z",)),
    ]
    assert graph.nodes[1].attributes == {"depth": 7, "folded": [1, -3]}
    assert graph.tensors == {
        "w": ModelTensor(shape=(4, 3)),
        "x": ModelTensor(shape=(1, 4), datatype="UINT4"),
        "z": ModelTensor(shape=(None, 3)),
        "y": ModelTensor(shape=(1, 3)),
    }
    assert (graph.inputs, graph.outputs, graph.initializers) == (("x",), ("z",), frozenset({"w"}))


def test_a_model_that_is_cut_off_is_refused_and_not_half_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OnnxDamage, match="cut off"):
        read_graph(path)
