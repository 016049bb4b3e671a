"""Runs in FINN's own environment: converts small networks and counts where they differ from qonnx's execution.

Each line of its input is a network in JSON, each line of its output what was found.
"""

import copy
import json
import os
import sys
import tempfile
from typing import Any

os.environ["FINN_BUILD_DIR"] = tempfile.mkdtemp()
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what FINN prints is no answer

from bskernel_executors.finn_step.library import load  # noqa: E402

load()

import numpy as np  # noqa: E402
from bskernel_executors.finn_step.exact_thresholds import make_rounding_exact, round_thresholds  # noqa: E402
from finn.builder import build_dataflow_config as config  # noqa: E402
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup as steps  # noqa: E402
from finn.util.settings import initialize_dummy_settings  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from qonnx.core.datatype import DataType  # noqa: E402
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.core.onnx_exec import execute_onnx  # noqa: E402
from qonnx.util.cleanup import cleanup_model  # noqa: E402

initialize_dummy_settings()
settings = config.DataflowBuildConfig(
    output_dir=tempfile.mkdtemp(),
    synth_clk_period_ns=5.0,
    fpga_part="xczu7ev-ffvc1156-2-e",
    save_intermediate_models=False,
    generate_outputs=[config.DataflowOutputType.ESTIMATE_REPORTS],
)
QONNX = "qonnx.custom_op.general"


def make_network(given: dict[str, Any], inputs: Any) -> Any:
    """Inputs, then affine nodes, an activation, a quantizer, a product with the weights after it."""
    nodes: list[Any] = []
    constants: list[Any] = []
    tensor = "in"

    def add(kind: str, *values: Any, **attributes: Any) -> None:
        nonlocal tensor
        names = [f"c{len(constants) + at}" for at in range(len(values))]
        constants.extend(
            numpy_helper.from_array(np.asarray(value, np.float32), name)
            for name, value in zip(names, values, strict=True)
        )
        domain = {"domain": QONNX} if "Quant" in kind else {}
        nodes.append(
            helper.make_node(
                kind, [tensor, *names], [f"t{len(nodes)}"], name=f"n{len(nodes)}", **domain, **attributes
            )
        )
        tensor = nodes[-1].output[0]

    for kind, values in given["affine"]:
        if kind == "BatchNormalization":
            add(kind, *values, epsilon=1e-5)
        else:
            add(kind, values)
    if given["relu"]:
        add("Relu")
    if given["bipolar"]:
        add("BipolarQuant", 1.0)
    else:
        add(
            "Quant",
            given["scale"],
            0.0,
            given["bits"],
            signed=int(given["signed"]),
            narrow=int(given["narrow"]),
            rounding_mode=given["mode"],
        )
    add("MatMul", given["weights"])
    count, channels = inputs.shape
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("in", [count, channels]), (tensor, [count, len(given["weights"][0])]))
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], initializer=constants)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    if given["input"] != "FLOAT32":
        model.set_tensor_datatype("in", DataType[given["input"]])
    return cleanup_model(model)


def run(model: Any, inputs: Any) -> Any:
    (values,) = execute_onnx(model, {model.graph.input[0].name: inputs}).values()
    return values


def count_differences(given: dict[str, Any]) -> dict[str, Any]:
    inputs = np.asarray(given["inputs"], dtype=np.float32)
    network = make_network(given, inputs)
    expected = run(network, inputs)
    found: dict[str, Any] = {}
    for name in ("finn", "exact"):
        try:
            model = steps["step_qonnx_to_finn"](copy.deepcopy(network), settings)
        except ValueError as error:
            return {"refused": str(error)}
        if name == "exact":
            model, report = make_rounding_exact(model, copy.deepcopy(network))
            found["unmatched"] = report.unmatched
            found["converted"] = count(run(model, inputs), expected)
        if given["streamline"]:
            for step in ("step_tidy_up", "step_streamline"):
                model = steps[step](model, settings)
            round_thresholds(model)
            found["kinds"] = [node.op_type for node in model.graph.node]
        found[name] = count(run(model, inputs), expected)
    return found


def count(values: Any, expected: Any) -> int:
    """Frames that differ by more than errors of scales: FINN leaves out a factor that differs from 1 by 1e-5."""
    far = np.abs(values - expected) > 1e-4 * np.abs(expected).max(initial=1e-6)
    return int(far.reshape(len(values), -1).any(axis=1).sum())


for line in sys.stdin:
    print(json.dumps(count_differences(json.loads(line))), file=answers, flush=True)
