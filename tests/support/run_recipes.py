"""Runs in FINN's own environment: streamlines and converts models by recipe, and says what came of them, as JSON.

Its arguments are a folder and the names of its models.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

os.environ["FINN_BUILD_DIR"] = tempfile.mkdtemp()
os.environ["NUM_DEFAULT_WORKERS"] = "1"

from bskernel_executors.dataflow.operators import is_hardware
from bskernel_executors.finn_step.library import load

with contextlib.redirect_stdout(io.StringIO()):
    load()

from bskernel_executors.finn_step.mapping_reasons import explain_unmapped
from bskernel_executors.finn_step.recipe_entry import run_by_recipe
from bskernel_executors.finn_step.recipe_run import find_bare_forks, find_unmapped
from finn.builder import build_dataflow_steps as steps
from finn.builder.build_dataflow_config import DataflowBuildConfig
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.general import SortGraph
from qonnx.util.cleanup import cleanup_model

FRAMES = 4


def compute(model: Any, frames: Any) -> Any:
    """What the model computes for each frame, all outputs, flat: their layouts are the same in every stage."""
    model = model.transform(SortGraph())
    name, ends = model.graph.input[0].name, [item.name for item in model.graph.output]
    found = (execute_onnx(model, {name: frame}) for frame in frames)
    return np.stack([np.concatenate([np.ravel(outputs[end]) for end in ends]) for outputs in found])


def run(path: Path) -> dict[str, Any]:
    model = cleanup_model(ModelWrapper(str(path)))
    config = DataflowBuildConfig(
        output_dir=os.environ["FINN_BUILD_DIR"], synth_clk_period_ns=5.0, generate_outputs=[]
    )
    shape = model.get_tensor_shape(model.graph.input[0].name)
    kind = model.get_tensor_datatype(model.graph.input[0].name)
    frames = np.random.default_rng(1).integers(0, 64, (FRAMES, *shape)).astype(np.float32)
    frames = frames if kind.is_integer() else (frames / 32 - 1).astype(np.float32)
    for step in (steps.step_qonnx_to_finn, steps.step_tidy_up):
        model = step(model, config)
    before = compute(model, frames)
    model, streamlined = run_by_recipe(model, config, "streamline", "auto", ())
    middle = compute(model, frames)
    model, converted = run_by_recipe(model, config, "convert_to_hw", "auto", ())
    after = compute(model, frames)
    return {
        "streamline": streamlined.recipe,
        "why": streamlined.why,
        "convert_to_hw": converted.recipe,
        "warnings": [*streamlined.warnings, *converted.warnings],
        "hardware": [node.op_type for node in model.graph.node if is_hardware(node)],
        "host": [node.op_type for node in model.graph.node if not is_hardware(node)],
        "unmapped": [f"{node.op_type}: {explain_unmapped(model, node).what}" for node in find_unmapped(model)],
        "bare_forks": [node.name for node in find_bare_forks(model)],
        "differing": int((middle != before).sum() + (after != before).sum()),
    }


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        found = {name: run(Path(sys.argv[1]) / f"{name}.onnx") for name in sys.argv[2:]}
    print(json.dumps(found))
