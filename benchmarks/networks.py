"""Estimate builds of real networks, beside the same steps of FINN+ in one process."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from bskernel.images import Environment, Recipe, ensure_environment, environment_variables, find_recipes
from bskernel.images.environment import cache_folder
from bskernel.images.recipe_image import image_name
from ground import BSKERNEL, ROOT, Ground
from measurement import After, Goal, Row, SelfTimed, call, printed, turns
from mechanisms import (
    CHAINED,
    CODEC,
    CONTAINER,
    IMPORTS,
    LATE,
    OWN,
    START,
    bare_rows,
    chained,
    container,
    start_codec,
    start_python,
)
from trivial import Action, runtimes

DIGITS = ROOT / "examples" / "digits"
STEPS = (
    "step_qonnx_to_finn", "step_tidy_up", "step_streamline", "step_convert_to_hw", "step_minimize_bit_width_initial",
    "step_create_dataflow_partition", "step_specialize_layers", "step_target_fps_parallelization",
    "step_apply_folding_config", "step_minimize_bit_width", "step_transpose_decomposition",
    "step_generate_estimate_reports",
)  # fmt: skip
_LATE_STEPS = (*STEPS[STEPS.index("step_target_fps_parallelization") :], "metrics")
_FPS = 1_011  # frames per second: so few that each network gets another folding
_SETTLED_S = 2.1  # a build of files that changed less than two seconds before leaves no record
CNV = "cnv_1w2a"
# As the executor does: without what it leaves out, or for later.
_IMPORTS = """
import time, msgspec
began = time.perf_counter()
from bskernel_executors.finn_step.library import load
load(defer=True)
from finn.builder import build_dataflow_config, build_dataflow_steps
from qonnx.core.modelwrapper import ModelWrapper
print(time.perf_counter() - began)
"""


def goals(model: str, runtime: str) -> dict[str, Goal]:
    """The goals of a network's rows; those of small networks where it has none of its own.

    What is cached is measured as a user meets it: the repeated command. The first recall stands beside it.
    """
    small, here = not model.upper().startswith(("TFC", "CNV")), runtime == "process"
    return {
        "cold": Goal(0.9 if here else 1.0),
        "repeated, all cached": Goal(0.01 if model == CNV else 0.02),
        "warm, everything run again": Goal(0.15 if small else 0.35),
        "warm, another target_fps and folding": Goal(0.05 if small or not here else 0.04),
    }


def _recipe() -> Recipe:
    return next(item for item in find_recipes(ROOT) if item.name == "finn-step@finn-plus-1.6.1")


def finn() -> tuple[Path, dict[str, str]]:
    """The Python of finn-step's environment, and the variables that it needs."""
    recipe = _recipe()
    environment: Environment = ensure_environment(recipe, cache_folder(), print)
    variables = {**environment_variables(recipe), "PYTHONPATH": str(environment.code), "PATH": os.environ["PATH"]}
    return environment.python, variables


def one_process(model: Path) -> Callable[[], None]:
    """What runs the same steps as FINN users do, in one process of its own."""
    python, variables = finn()

    def action() -> None:
        with tempfile.TemporaryDirectory() as target:
            script = ROOT / "tests" / "support" / "one_process.py"
            call([python, script, model, Path(target, "t"), *STEPS], env=variables)

    return action


def steps_alone(model: Path, names: tuple[str, str], *more: str | Path) -> SelfTimed:
    """FINN's own steps, in a process that has imported all: two figures with these names.

    `more` are options of the process, which decide what its two numbers are.
    """
    python, variables = finn()
    script = ROOT / "tests" / "support" / "one_process.py"

    def action() -> list[float]:
        with tempfile.TemporaryDirectory() as target:
            return printed([python, script, "--shortcuts", model, Path(target, "t"), *STEPS, *more], env=variables)

    return SelfTimed(names, action)


def finn_imports() -> SelfTimed:
    """IMPORTS."""
    python, variables = finn()

    def action() -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            return printed([python, "-c", _IMPORTS], env={**variables, "FINN_BUILD_DIR": folder})

    return SelfTimed([IMPORTS], action)


def draw_cnv(folder: Path) -> Path:
    """CNV 1W2A, drawn from a seed."""
    model = folder / f"{CNV}.onnx"
    call([finn()[0], Path(__file__).with_name("cnv.py"), model])
    return model


def can_stay_up() -> bool:
    """Does this bskernel keep executors between commands?"""
    return subprocess.run([BSKERNEL, "up", "--help"], capture_output=True, check=False).returncode == 0


@contextmanager
def _up(ground: Ground, config: Path) -> Iterator[None]:
    call([BSKERNEL, "up", config], env=ground.env)
    try:
        yield
    finally:
        call([BSKERNEL, "down"], env=ground.env)


def network(folder: Path, runs: int, model: Path, runtime: str, *, bare: bool) -> list[Row]:
    """The rows of one model in one runtime; and of the bare mechanisms, if they are asked for."""
    ground = Ground(folder / f"{runtime}-{model.stem}", runtime)
    config = ground.folder / "build.toml"
    for path in DIGITS.iterdir():
        if path.is_file():
            shutil.copy(path, ground.folder / path.name)
    shutil.copy(model, ground.folder / model.name)
    text = (DIGITS / "build.toml").read_text(encoding="utf-8")
    config.write_text(text.replace("digits_w4a4.onnx", model.name), encoding="utf-8")
    near = itertools.count(_FPS + 1)

    def run(*more: str) -> None:
        call(ground.command(config, *more), env=ground.env)

    def build() -> None:
        ground.forget()
        run()

    def change(fps: int, runs: Sequence[str]) -> None:
        run("--set", f"target.target_fps={fps}")
        steps = json.loads((ground.folder / "out" / "result.json").read_text(encoding="utf-8"))["steps"]
        if (ran := [step["name"] for step in steps if step["status"] == "ran"]) != list(runs):
            raise SystemExit(f"{model.name}, target_fps = {fps}: not {', '.join(runs)} ran, but {', '.join(ran)}")

    late = After(build, lambda: change(_FPS, _LATE_STEPS))

    def record() -> None:
        run()
        time.sleep(_SETTLED_S)
        run()

    run()  # makes what is made once
    often: dict[str, Action] = {}  # beside what starts executors, and beside what finds them
    once: dict[str, Action] = {}
    if bare:
        own = steps_alone(ground.folder / model.name, (OWN, LATE), "--twice")
        often = {CODEC: start_codec, CHAINED: chained(ground.folder), OWN: own}
        once = {START: start_python, IMPORTS: finn_imports()}
        if runtime == "docker":
            once[CONTAINER] = container(image_name(_recipe()))
    taken = turns(
        {
            "FINN+ in one process": one_process(ground.folder / model.name),
            "cold": After(ground.forget, run),
            "all cached": run,
            "repeated, all cached": After(record, run),
            "another target_fps and folding": late,
            **once,
            **often,
        },
        runs,
    )
    warm: AbstractContextManager[None] = _up(ground, config) if can_stay_up() else nullcontext()
    with warm:
        if can_stay_up():
            run("--fresh")
            found = turns(
                {
                    "warm, everything run again": lambda: run("--fresh"),
                    "warm, another target_fps and folding": late,
                    "warm, another target_fps, same folding": lambda: change(
                        next(near), ("step_target_fps_parallelization", "metrics")
                    ),
                    **often,
                },
                runs,
            )
            taken |= {name: taken.get(name, []) + values for name, values in found.items()}
    middle = {name: statistics.median(values) for name, values in taken.items()}
    one = middle["FINN+ in one process"]
    bounds, group = goals(model.stem, runtime), f"estimates of {model.stem}, {runtime}"
    least = {name: middle.pop(name) for name in (*once, *often, LATE) if name in middle}
    return [
        Row(
            group=group, what=name, value=value, unit="s", runs=runs,
            goal=bounds.get(name), beside=name == "all cached", against="one process", ratio=value / one,
        )
        for name, value in middle.items()
    ] + bare_rows(group, least, runs)  # fmt: skip


def networks(models: list[Path], used: Sequence[str] = ()) -> Callable[[Path, int], list[Row]]:
    """The part for the digits and these models, in each runtime or those `used`; and CNV 1W2A, as processes.

    Only the digits, and without bare mechanisms, with `used`.
    """

    def part(folder: Path, runs: int) -> list[Row]:
        every = [DIGITS / "digits_w4a4.onnx", *models]
        rows = [
            row
            for runtime in used or runtimes()
            for model in every
            for row in network(folder, runs, model, runtime, bare=not used)
        ]
        return rows if used else [*rows, *network(folder, runs, draw_cnv(folder), "process", bare=True)]

    return part
