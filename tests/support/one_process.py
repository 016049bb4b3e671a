"""Runs in FINN's own environment: all steps in one process, as FINN users do, for the numbers to compare with.

The last line that it prints is the seconds of all steps, and of those from step_target_fps_parallelization on. With
`--points`, a JSON list of the settings of a sweep's points, equal steps run once, as in a sweep. Then it is those of
the steps that all points share, and of all others. With `--shortcuts` QONNX is used as builds use it. With `--forked`
each step has a process of its own, forked ahead, which reads the model from a file and writes it to another one. All
is done that is known to spare such processes time: memory in huge pages and, in a build, pages copied before orders.
"""

import argparse
import collections
import gc
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from bskernel_executors.finn_step.library import load
from bskernel_executors.sdk.hot_pages import HotPages, copy_ahead, open_pagemap, written_pages
from bskernel_executors.sdk.huge_pages import move_into_huge_pages
from bskernel_executors.sdk.qonnx_shortcuts import install_shortcuts

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("target", type=Path)
parser.add_argument("steps", nargs="+")
parser.add_argument("--points", type=Path)
parser.add_argument("--shortcuts", action="store_true")
parser.add_argument("--forked", action="store_true")
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


def run_forked(step: str, data: bytes, settings: Any, hot: HotPages | None = None) -> tuple[bytes, float]:
    """Run a step in a process that waits for it; returns the network, and the seconds from the order to its end.

    `hot` are pages that it copies while it waits, once enough steps have reported on theirs.
    """
    before, after = given.target / "before.onnx", given.target / "after.onnx"
    before.write_bytes(data)
    after.unlink(missing_ok=True)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            pagemap = open_pagemap() if hot is not None and hot.are_asked_for else None
            copy_ahead(hot.ranges() if hot is not None else (), lambda _: False)
            theirs.send(b"ready")
            theirs.recv(1)
            network = ModelWrapper(onnx.load_model_from_string(before.read_bytes()))
            network = build_dataflow_step_lookup[step](network, settings)
            after.write_bytes(network.model.SerializeToString(deterministic=True))
            if pagemap is not None:
                theirs.send(written_pages(pagemap))
            code = 0
        finally:
            os._exit(code)
    ours.recv(5)
    began = time.perf_counter()
    ours.send(b"1")
    _, status = os.waitpid(child, 0)
    taken = time.perf_counter() - began
    theirs.close()
    if status:
        raise SystemExit(f"{step} failed")
    if hot is not None and hot.are_asked_for:
        hot.note(ours.recv(1 << 20))
    ours.close()
    return after.read_bytes(), taken


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


def run_forked_build() -> tuple[float, float]:
    """The same with each step in a process of its own, at the second time, when it is known which pages they use."""
    settings, hot, seconds = configured(), HotPages(), list[float]()
    for _ in range(2):
        data = Path(given.model).read_bytes()
        seconds.clear()
        for step in given.steps:
            data, taken = run_forked(step, data, settings, hot)
            seconds.append(taken)
    return sum(seconds), sum(seconds[given.steps.index(LATE) :])


def run_points(points: list[dict[str, Any]]) -> tuple[float, float]:
    """Run each different step of the points; returns the seconds of those that all share, and of all others."""
    from bskernel_executors.finn_step.known_reads import find_known_reads

    run = run_forked if given.forked else run_here
    known, first = find_known_reads(), Path(given.model).read_bytes()
    made: dict[tuple[Any, ...], bytes] = {}
    seconds: dict[str, list[float]] = collections.defaultdict(list)
    for values in points:
        data, settings = first, configured(**values)
        for step in given.steps:
            key = (step, data, *(values[name] for name in known[step].fields if name in values))
            if key not in made:
                made[key], taken = run(step, data, settings)
                seconds[step].append(taken)
            data = made[key]
    print({step: len(taken) for step, taken in seconds.items()})
    shared = sum(taken[0] for taken in seconds.values() if len(taken) == 1)
    return shared, sum(map(sum, seconds.values())) - shared


initialize_dummy_settings()
if given.forked:
    gc.freeze()
    collections.deque(move_into_huge_pages(), maxlen=0)
if given.points is not None:
    print(*run_points(json.loads(given.points.read_text(encoding="utf-8"))))
else:
    print(*(run_forked_build() if given.forked else run_build()))
