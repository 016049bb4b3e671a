"""Runs in an executor's environment: a model's predictions for samples, frame by frame by qonnx itself."""

import json
import sys

import numpy as np
from bskernel_executors.finn_step.library import load

load()

from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.core.onnx_exec import execute_onnx  # noqa: E402

model = ModelWrapper(sys.argv[1])
samples = np.load(sys.argv[2])
name = model.graph.input[0].name
shape = model.get_tensor_shape(name)
frames = samples["inputs"].astype(np.float32)[: int(sys.argv[3])]
rows = [
    np.asarray(execute_onnx(model, {name: frame.reshape(shape)})[model.graph.output[0].name]).ravel()
    for frame in frames
]
print(json.dumps([row.tolist() for row in rows]))
