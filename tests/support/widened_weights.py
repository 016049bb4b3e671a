"""Runs where FINN+ is: one MVAU with weights of one bit before and after `prefer`; prints JSON of what it is then."""

import json
import sys

import bskernel_executors.finn_step.entries  # noqa: F401 - imports FINN so that it needs no torch
import msgspec
import numpy as np
from bskernel_executors.finn_step.open_flow import PreferenceParameters, prefer
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.util.basic import qonnx_make_model

inputs, outputs = 8, 4
node = helper.make_node(
    "MVAU", ["x", "w"], ["y"], domain="finn.custom_op.fpgadataflow", backend="fpgadataflow",
    MW=inputs, MH=outputs, SIMD=2, PE=2, noActivation=1, binaryXnorMode=0, numInputVectors=[1],
    inputDataType="UINT2", weightDataType="BIPOLAR", outputDataType="INT6",
)  # fmt: skip
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, outputs])
model = ModelWrapper(qonnx_make_model(helper.make_graph([node], "one", [x], [y])))
random = np.random.default_rng(0)
model.set_initializer("w", random.choice([-1.0, 1.0], (inputs, outputs)).astype(np.float32))
for name, datatype in (("x", "UINT2"), ("w", "BIPOLAR"), ("y", "INT6")):
    model.set_tensor_datatype(name, DataType[datatype])
model = model.transform(GiveUniqueNodeNames())
frame = {"x": random.integers(0, 4, (1, inputs)).astype(np.float32)}
before = execute_onnx(model, frame)["y"]
widened = prefer(model, msgspec.convert({"impl_style": sys.argv[1]}, PreferenceParameters))
after = execute_onnx(model, frame)["y"]
weights = getCustomOp(model.graph.node[0]).get_nodeattr("weightDataType")
tensor = model.get_tensor_datatype("w").name
specialized = model.transform(SpecializeLayers("xczu7ev-ffvc1156-2-e")).graph.node[0].op_type
same = bool((before == after).all()) and bool((before == frame["x"] @ model.get_initializer("w")).all())
print(json.dumps([widened, weights, tensor, specialized, same]))
