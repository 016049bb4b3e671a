"""Runs in FINN's own environment: makes the hardware of single layers by FINN's code, and what Python computes.

Its input is a JSON list of layers, its argument the folder to write to; there `bench.json` describes what was made.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["FINN_BUILD_DIR"] = tempfile.mkdtemp()
from bskernel_executors.finn_step.library import load

load()

import bskernel_executors.open_rtl.registration as library  # noqa: E402
import numpy as np  # noqa: E402
from finn.transformation.fpgadataflow.prepare_ip import PrepareIP  # noqa: E402
from finn.transformation.fpgadataflow.set_folding import SetFolding  # noqa: E402
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers  # noqa: E402
from finn.util.settings import initialize_dummy_settings  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from qonnx.core.datatype import DataType  # noqa: E402
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.core.onnx_exec import execute_onnx  # noqa: E402
from qonnx.custom_op.registry import getCustomOp  # noqa: E402
from qonnx.util.basic import gen_finn_dt_tensor, qonnx_make_model  # noqa: E402

PART = "xczu7ev-ffvc1156-2-e"
DOMAIN = "finn.custom_op.fpgadataflow"
initialize_dummy_settings()


def make_model(given: dict[str, Any], at: int) -> Any:
    """A model of one layer: operands are streams, or constants where they have `constant`."""
    names = [f"in{index}" for index in range(len(given["operands"]))]
    outputs = [f"out{index}" for index in range(given.get("outputs", 1))]
    node = helper.make_node(
        given["operator"], names, outputs, name=f"{given['operator']}_{at}", domain=DOMAIN, backend="fpgadataflow",
        preferred_impl_style="rtl", **given["attributes"],
    )  # fmt: skip

    def declare(name: str, shape: Any) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    streams = [name for name, operand in zip(names, given["operands"], strict=True) if "constant" not in operand]
    shapes = {name: operand["shape"] for name, operand in zip(names, given["operands"], strict=True)}
    graph = helper.make_graph([node], "layer", [declare(name, shapes[name]) for name in streams], [])
    graph.output.extend(declare(name, None) for name in outputs)
    model = ModelWrapper(qonnx_make_model(graph))
    for name, operand in zip(names, given["operands"], strict=True):
        if "constant" in operand:
            model.set_initializer(name, np.asarray(operand["constant"], np.float32).reshape(operand["shape"]))
        model.set_tensor_datatype(name, DataType[operand["datatype"]])
    layer = getCustomOp(model.graph.node[0])
    for index, name in enumerate(outputs):
        model.set_tensor_shape(name, [int(size) for size in layer.get_normal_output_shape(index)])
        model.set_tensor_datatype(name, layer.get_output_datatype(index))
    return model


def fold(values: Any, layer: Any, shape: tuple[int, ...]) -> Any:
    """Order values as they are streamed: beats of the last size of `shape`, its folded shape."""
    if layer.onnx_node.op_type.startswith("Pool") and values.shape == tuple(layer.get_normal_input_shape()):
        channels, pe = layer.get_nodeattr("Channels"), layer.get_nodeattr("PE")
        window = values.reshape(-1, values.shape[-1] // channels, channels // pe, pe)
        return window.transpose(0, 2, 1, 3).reshape(-1, pe)  # as the depthwise sliding window delivers them
    return values.reshape(shape).reshape(-1, shape[-1])


def write_beats(path: Path, frames: list[Any], datatype: Any, width: int) -> int:
    """Write one beat per line, in hexadecimal, the first value in the lowest bits; return their number."""
    values = np.concatenate(frames)
    assert all(bool(datatype.allowed(value)) for value in np.unique(values)), (datatype, np.unique(values)[[0, -1]])
    beats = (values / datatype.scale_factor() if datatype.is_fixed_point() else values).astype(np.int64)
    if datatype.name == "BIPOLAR":
        beats = (beats + 1) // 2
    bits = datatype.bitwidth()
    mask = (1 << bits) - 1
    words = (sum((int(value) & mask) << (bits * at) for at, value in enumerate(beat)) for beat in beats)
    path.write_text("".join(f"{word:0{width // 4}x}\n" for word in words))
    return len(beats)


def fold_by_finn(given: dict[str, Any], at: int, style: str) -> dict[str, Any]:
    """What FINN makes of a layer whose style is preferred, and the folding that it finds for 6 cycles."""
    model = make_model(given, at)
    getCustomOp(model.graph.node[0]).set_nodeattr("preferred_impl_style", style)
    model = model.transform(SpecializeLayers(PART))
    selected = model.graph.node[0].op_type
    if given["operator"] not in {"Pool", "VVAU"}:  # which FINN folds with their sliding windows
        model = model.transform(SetFolding(6))
    layer = getCustomOp(model.graph.node[0])
    folding = {name: layer.get_nodeattr(name) for name in ("PE", "SIMD") if name in layer.get_nodeattr_types()}
    return {"selected": selected, "name": model.graph.node[0].op_type, "folding": folding}


def make_case(given: dict[str, Any], at: int, folder: Path) -> dict[str, Any]:
    model = make_model(given, at)
    refusal = library.find_refusal(getCustomOp(model.graph.node[0]))
    model = model.transform(SpecializeLayers(PART))
    node = model.graph.node[0]
    if not node.op_type.endswith("_rtl"):
        return {"refused": refusal}
    node.name = f"case{at}"
    model = model.transform(PrepareIP(PART, 5.0))
    node = model.graph.node[0]
    layer = getCustomOp(node)
    frames = given.get("frames", 4)
    np.random.seed(given.get("seed", at))
    streams: dict[str, list[Any]] = {}
    for frame in range(frames):
        context = {}
        for name, operand in zip(node.input, given["operands"], strict=True):
            if "constant" in operand:
                continue
            shape = operand["shape"]
            if "values" in operand:
                context[name] = np.asarray(operand["values"][frame], operand.get("type", "float32")).reshape(shape)
            else:
                context[name] = gen_finn_dt_tensor(DataType[operand["datatype"]], shape)
        results = execute_onnx(model, context, return_full_exec_context=True)
        for side, names in (("input", node.input), ("output", node.output)):
            for index, name in enumerate(names):
                if name in context or side == "output":
                    shape = tuple(int(size) for size in getattr(layer, f"get_folded_{side}_shape")(index))
                    streams.setdefault(name, []).append(fold(results[name], layer, shape))
    described = []
    for side, names in (("in", node.input), ("out", node.output)):
        for index, name in enumerate(names):
            if name not in streams:
                continue
            datatype = getattr(layer, f"get_{side}put_datatype")(index)
            width = int(getattr(layer, f"get_{side}stream_width_padded")(index))
            file = f"case{at}_{name}.hex"
            beats = write_beats(folder / file, streams[name], datatype, width)
            described.append({"port": f"{side}{index}", "width": width, "beats": beats, "file": file})
    sources = [str(path) for path in layer.get_rtl_file_list(abspath=True)]
    resources = {name: float(value) for name, value in layer.node_res_estimation(PART).items()}
    return {
        "module": layer.get_nodeattr("gen_top_module"),
        "streams": described,
        "sources": sources,
        "frames": frames,
        "cycles": int(layer.get_exp_cycles()),
        "resources": resources,
        "by_style": {style: fold_by_finn(given, at, style) for style in ("rtl", "hls", "")},
    }


target = Path(sys.argv[1])
cases = [make_case(given, at, target) for at, given in enumerate(json.load(sys.stdin))]
(target / "bench.json").write_text(json.dumps({"operators": list(library.LAYERS), "cases": cases}))
