"""Runs in FINN's own environment: all steps in one process, as FINN users do, for the numbers to compare with.

The last line that it prints is the seconds of all steps, and of those from step_target_fps_parallelization on. With
`--points`, a JSON list of the settings of a sweep's points, equal steps run once, as in a sweep. Then it is those of
the steps that all points share, and of all others. With `--shortcuts` QONNX is used as builds use it. With `--twice`
all is done twice, and the second time counts: nothing is done for the first time in the process any more.
"""

import argparse
import collections
import json
import os
import time
from pathlib import Path
from typing import Any

from bskernel_executors.finn_step.library import load
from bskernel_executors.sdk.qonnx_shortcuts import install_shortcuts

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("target", type=Path)
parser.add_argument("steps", nargs="+")
parser.add_argument("--points", type=Path)
parser.add_argument("--shortcuts", action="store_true")
parser.add_argument("--twice", action="store_true")
given = parser.parse_args()
(given.target / "state").mkdir(parents=True)
os.environ["FINN_BUILD_DIR"] = str(given.target / "state")
if given.shortcuts and not install_shortcuts():
    raise SystemExit("another QONNX is installed than that of the recipes")
load()

import onnx  # noqa: E402
from finn.builder import build_dataflow_config as config  # noqa: E402
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup  # noqa: E402
from finn.util.settings import initialize_dummy_settings  # noqa: E402
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402

LATE = "step_target_fps_parallelization"


def configured(**values: Any) -> Any:
    """FINN's configuration for estimates."""
    fields = {"synth_clk_period_ns": 5.0, "fpga_part": "xczu7ev-ffvc1156-2-e", "target_fps": 100_000} | values
    return config.DataflowBuildConfig(
        output_dir=str(given.target / "output"),
        standalone_thresholds=True,
        save_intermediate_models=False,
        generate_outputs=[config.DataflowOutputType.ESTIMATE_REPORTS],
        **fields,
    )


def run_here(step: str, data: bytes, settings: Any) -> tuple[bytes, float]:
    """Run a step in this process; returns the network that it makes, and its seconds without reading and writing."""
    network = ModelWrapper(onnx.load_model_from_string(data))
    began = time.perf_counter()
    network = build_dataflow_step_lookup[step](network, settings)
    taken = time.perf_counter() - began
    return network.model.SerializeToString(deterministic=True), taken


def run_build() -> tuple[float, float]:
    """Run the steps; returns the seconds of all, and of the late ones."""
    settings = configured()
    began = late = time.perf_counter()
    network = ModelWrapper(given.model)
    for step in given.steps:
        if step == LATE:
            late = time.perf_counter()
        network = build_dataflow_step_lookup[step](network, settings)
    ended = time.perf_counter()
    return ended - began, ended - late


def run_points(points: list[dict[str, Any]]) -> tuple[float, float]:
    """Run each different step of the points; returns the seconds of those that all share, and of all others."""
    from bskernel_executors.finn_step.known_reads import find_known_reads

    known, first = find_known_reads(), Path(given.model).read_bytes()
    made: dict[tuple[Any, ...], bytes] = {}
    seconds: dict[str, list[float]] = collections.defaultdict(list)
    for values in points:
        data, settings = first, configured(**values)
        for step in given.steps:
            key = (step, data, *(values[name] for name in known[step].fields if name in values))
            if key not in made:
                made[key], taken = run_here(step, data, settings)
                seconds[step].append(taken)
            data = made[key]
    print({step: len(taken) for step, taken in seconds.items()})
    shared = sum(taken[0] for taken in seconds.values() if len(taken) == 1)
    return shared, sum(map(sum, seconds.values())) - shared


initialize_dummy_settings()
for _ in range(1 + given.twice):
    if given.points is not None:
        seconds = run_points(json.loads(given.points.read_text(encoding="utf-8")))
    else:
        seconds = run_build()
print(*seconds)
