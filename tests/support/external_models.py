"""Runs in qonnx's environment: saves random models in all ways that onnx has, with the files that each then names."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper, numpy_helper

FOLDER = Path(sys.argv[1])
RANDOM = np.random.default_rng(7)


def numbers(name: str) -> TensorProto:
    return numpy_helper.from_array(RANDOM.random(int(RANDOM.integers(1, 400)), dtype=np.float32), name)


def body(number: int) -> onnx.GraphProto:
    value = helper.make_node("Constant", [], [f"inner{number}"], value=numbers(f"location{number}"))
    out = helper.make_tensor_value_info(f"inner{number}", TensorProto.FLOAT, [None])
    return helper.make_graph([value], "body", [], [out], initializer=[numbers(f"in_body{number}")])


named: dict[str, list[str]] = {}
for number in range(int(sys.argv[2])):
    constants = range(RANDOM.integers(3))
    nodes = [helper.make_node("Constant", [], [f"c{at}"], value=numbers(f"c{at}")) for at in constants]
    if RANDOM.random() < 0.5:
        branches = {"then_branch": body(1), "else_branch": body(2)}
        nodes.append(helper.make_node("If", ["condition"], ["chosen"], name="location", **branches))
    nodes.append(helper.make_node("Identity", ["w0"], ["out"], name="identity"))
    weights = [numbers(f"w{at}") for at in range(1 + RANDOM.integers(4))]
    inputs = [helper.make_tensor_value_info("condition", TensorProto.BOOL, [])]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None])]
    model = helper.make_model(helper.make_graph(nodes, "net", inputs, outputs, initializer=weights))
    folder = FOLDER / str(number)
    folder.mkdir(parents=True)
    path = folder / "net.onnx"
    onnx.save_model(
        model,
        str(path),
        save_as_external_data=bool(RANDOM.random() < 0.8),
        all_tensors_to_one_file=bool(RANDOM.random() < 0.5),
        location="net.data" if RANDOM.random() < 0.5 else None,
        size_threshold=int(RANDOM.integers(0, 1600)),
        convert_attribute=bool(RANDOM.random() < 0.5),
    )
    saved = onnx.load_model(str(path), load_external_data=False)
    tensors = [
        tensor
        for tensor in external_data_helper._get_all_tensors(saved)
        if external_data_helper.uses_external_data(tensor)
    ]
    named[str(number)] = sorted({external_data_helper.ExternalDataInfo(tensor).location for tensor in tensors})
print(json.dumps(named))
