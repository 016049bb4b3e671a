"""Runs in FINN's own environment: all steps in one process, as FINN users do, for the numbers to compare with.

With --shortcuts as the first argument, QONNX is used as builds use it. The last line that it prints
is the seconds of all steps, and of those from step_target_fps_parallelization on.
"""

import os
import sys
import time
from pathlib import Path

from bskernel_executors.finn_step.library import load
from bskernel_executors.sdk.qonnx_shortcuts import install_shortcuts

arguments = sys.argv[1:]
if arguments[0] == "--shortcuts":
    arguments = arguments[1:]
    if not install_shortcuts():
        raise SystemExit("another QONNX is installed than that of the recipes")
model, target, steps = Path(arguments[0]), Path(arguments[1]), arguments[2:]
(target / "state").mkdir(parents=True)
os.environ["FINN_BUILD_DIR"] = str(target / "state")
load()

from finn.builder import build_dataflow_config as config  # noqa: E402
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup  # noqa: E402
from finn.util.settings import initialize_dummy_settings  # noqa: E402
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402

initialize_dummy_settings()
settings = config.DataflowBuildConfig(
    output_dir=str(target / "output"),
    synth_clk_period_ns=5.0,
    fpga_part="xczu7ev-ffvc1156-2-e",
    target_fps=100_000,
    standalone_thresholds=True,
    save_intermediate_models=False,
    generate_outputs=[config.DataflowOutputType.ESTIMATE_REPORTS],
)
began = late = time.perf_counter()
network = ModelWrapper(str(model))
for step in steps:
    if step == "step_target_fps_parallelization":
        late = time.perf_counter()
    network = build_dataflow_step_lookup[step](network, settings)
ended = time.perf_counter()
print(ended - began, ended - late)
