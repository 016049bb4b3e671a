"""What the bare mechanisms take that a build cannot do without, and what share of a figure they are.

A figure that misses its goal stands beside the mechanisms below it, measured in the same run: what they take together
no change of bskernel's own code can save. Where it is more than the goal, the goal is out of reach.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from bskernel.images import find_recipes
from bskernel.images.recipe_image import image_name
from digits_sweep import SHARED, SINGLE
from ground import Ground, arithmetic_root, steps
from measurement import Row, call, medians, seconds
from networks import LATE, OWN, finn
from trivial import engine_answers

GROUP = "bare mechanisms"
# What the servers of metrics and finn-step have in memory of their own, and what their idle machine's children write.
SMALL, LARGE = "fork, 1,200 page faults and end of a process of 12 MiB", "the same of 48 MiB and 1,800 page faults"
FILES = "write and rename a step's 12 small files"
PIPE = "a step that does nothing, through a pipe between two Pythons"
START = "python -c pass"
CODEC = "python -c 'import msgspec'"  # kernel and executors understand nothing without it
IMPORTS = "what finn-step imports, in one process"
SDK = "python -c 'import docker, msgspec'"
CONTAINER = "docker run and remove of an executor's image, python -c 'import msgspec' in it"
CLUSTER = "start and end of a scheduler and two workers that do nothing"
SLEEP = "a second"
_RUN = ("docker", "run", "--rm", "--network", "none")
_TIMES = 50
_FILES, _BYTES = 12, 400
_HERE = Path(__file__).resolve().parent

# Memory in small objects, as Python's imports leave it: to use one is to write to its page.
_FORKS = """
import os, sys, time
mebibytes, faults, times = map(int, sys.argv[1:])
def own():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon:"))
objects = []
while own() < mebibytes << 10 or len(objects) < faults:
    objects += [bytes(3500) for _ in range(64)]
used = objects[:: max(1, len(objects) // faults)][:faults]
taken = []
for _ in range(times):
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        kept = list(used)
        os._exit(0)
    os.waitpid(child, 0)
    taken.append(time.perf_counter() - began)
print(sorted(taken)[times // 2])
"""
_ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
# As the executor does: without what it leaves out, or for later.
_IMPORTS = """
from bskernel_executors.finn_step.library import load
load(defer=True)
from finn.builder import build_dataflow_config, build_dataflow_steps
from qonnx.core.modelwrapper import ModelWrapper
"""

# Rows by group and name -> how often they need which mechanism, one after another.
_SHARES: tuple[tuple[str, Mapping[str, float]], ...] = (
    (r"12 chained trivial steps, docker: bskernel, cold", {SDK: 1, CONTAINER: 1, SMALL: 12, FILES: 12, PIPE: 12}),
    (r"one more step, ", {SMALL: 1, FILES: 1, PIPE: 1}),
    (r"a chain of \d+ steps: run, cold", {SMALL: 1, FILES: 1, PIPE: 1}),
    (r"estimates of .*, process: cold", {IMPORTS: 1, OWN: 1, LARGE: 14, FILES: 14}),
    (r"estimates of .*, docker: cold", {SDK: 1, CONTAINER: 1, IMPORTS: 1, OWN: 1, LARGE: 14, FILES: 14}),
    (r"estimates of .*: warm, everything", {CODEC: 1, OWN: 1, LARGE: 14, FILES: 14}),
    (r"estimates of .*: warm, another .* and folding", {CODEC: 1, LATE: 1, LARGE: 5, SMALL: 1, FILES: 6}),
    (r"estimates of .*: (repeated, )?all cached", {START: 1}),
    (  # of 171 steps 92 of finn-step's 103 and those of metrics two at a time
        r"a sweep of 64 points .*: cold",
        {CODEC: 1, IMPORTS: 1, SHARED: 1, SINGLE: 0.5, LARGE: 57, SMALL: 34, FILES: 93},
    ),
    # Steps two at a time; the scheduler's process and the workers that run them share the processors.
    (r"a sweep of 1000 points .*: one action", {SMALL: 0.5, FILES: 0.5, PIPE: 1}),
    (r"40 independent steps of 1 s, on a cluster: two workers", {CLUSTER: 1, SLEEP: 20}),
)


def _fork(mebibytes: int, faults: int) -> float:
    command = [sys.executable, "-c", _FORKS, str(mebibytes), str(faults), str(_TIMES)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _files(folder: Path) -> float:
    def write() -> None:
        for at in range(_FILES):
            name = f"{folder}/{at}"
            file = os.open(f"{name}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(file, b"x" * _BYTES)
            os.close(file)
            os.rename(f"{name}.new", name)  # noqa: PTH104 - what is measured is the system's call

    return median(seconds(write) for _ in range(_TIMES))


def _pipe() -> float:
    taken = []
    with subprocess.Popen(
        [sys.executable, "-c", _ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as echo:
        if echo.stdin is None or echo.stdout is None:
            raise ValueError("a pipe was asked for")
        for _ in range(10 * _TIMES):
            began = time.perf_counter()
            echo.stdin.write(b"step\n")
            echo.stdout.read(5)
            taken.append(time.perf_counter() - began)
        echo.stdin.close()
    return median(taken)


def bounds(folder: Path, runs: int) -> list[Row]:
    """The part."""
    (bare := folder / "cluster").mkdir()
    python, variables = finn()
    imports: list[str | Path] = [python, "-c", _IMPORTS]
    actions = {
        START: lambda: call([sys.executable, "-c", "pass"]),
        CODEC: lambda: call([sys.executable, "-c", "import msgspec"]),
        SDK: lambda: call([sys.executable, "-c", "import docker, msgspec"]),
        IMPORTS: lambda: call(imports, env={**variables, "FINN_BUILD_DIR": str(folder)}),
        CLUSTER: lambda: call([sys.executable, _HERE / "bare_cluster.py", bare, "2"]),
    }
    if engine_answers():
        root = arithmetic_root(folder / "root")
        ground = Ground(folder / "docker", "docker", root=root)
        call(ground.command(steps(ground.folder, 1, chained=True)), env=ground.env)  # makes the image
        image = image_name(find_recipes(root)[0])
        actions[CONTAINER] = lambda: call([*_RUN, image, "python", "-c", "import msgspec"])
    taken = medians(actions, runs)
    taken |= {SMALL: _fork(12, 1_200), LARGE: _fork(48, 1_800), FILES: _files(folder), PIPE: _pipe()}
    once = {SLEEP: seconds(lambda: time.sleep(1))}
    times = dict.fromkeys(taken, _TIMES) | dict.fromkeys(actions, runs) | dict.fromkeys(once, 1)
    return [
        Row(group=GROUP, what=name, value=value * 1e3, unit="ms", runs=times[name])
        for name, value in (taken | once).items()
    ]


def beside(rows: Sequence[Row]) -> list[Row]:
    """The rows; those that miss their goal with the share that bare mechanisms of the same run have in them."""
    bare = {row.what: row.value / 1e3 for row in rows if row.group == GROUP}
    own = {(row.group, row.what): row.value for row in rows if row.what in {OWN, LATE, SHARED, SINGLE}}
    return [
        _with_bound(row, bare | {what: value for (group, what), value in own.items() if group == row.group})
        if row.met is False
        else row
        for row in rows
    ]


def _with_bound(row: Row, bare: Mapping[str, float]) -> Row:
    name = f"{row.group}: {row.what}"
    needs = next((needs for pattern, needs in _SHARES if re.match(pattern, name)), None)
    measured_s = {"s": row.value, "ms": row.value / 1e3, "steps/s": 1 / row.value}.get(row.unit)
    if needs is None or measured_s is None or not needs.keys() <= bare.keys():
        return row
    least_s = sum(bare[mechanism] * times for mechanism, times in needs.items())
    text = "; ".join(f"{times:g} x {mechanism}" for mechanism, times in needs.items())
    share = f"{least_s / measured_s:.2f} of it, {least_s / _goal_s(row, measured_s):.2f} of the goal"
    return dataclasses.replace(row, bound=f"{share}: {text}")


def _goal_s(row: Row, measured_s: float) -> float:
    """The seconds in which the row would meet its goal."""
    if row.goal is None:
        raise ValueError(f"{row.group}, {row.what}: no goal")
    of_goal = row.goal.bound / (row.value if row.goal.unit else row.ratio or 1)
    return measured_s / of_goal if row.goal.at_least else measured_s * of_goal
