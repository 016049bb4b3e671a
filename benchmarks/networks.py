"""Estimate builds of real networks, beside the same steps of FINN+ in one process."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from bskernel.images import Environment, ensure_environment, environment_variables, find_recipes
from bskernel.images.environment import cache_folder
from ground import BSKERNEL, ROOT, Ground
from measurement import After, Goal, Row, call, medians
from trivial import runtimes

DIGITS = ROOT / "examples" / "digits"
STEPS = (
    "step_qonnx_to_finn", "step_tidy_up", "step_streamline", "step_convert_to_hw", "step_minimize_bit_width_initial",
    "step_create_dataflow_partition", "step_specialize_layers", "step_target_fps_parallelization",
    "step_apply_folding_config", "step_minimize_bit_width", "step_transpose_decomposition",
    "step_generate_estimate_reports",
)  # fmt: skip
GOALS = {
    "all cached": Goal(0.03),
    "warm, everything run again": Goal(0.25),
    "warm, target_fps changed": Goal(0.1),
}


def one_process(model: Path) -> Callable[[], None]:
    """What runs the same steps as FINN users do, in one process of its own."""
    recipe = next(item for item in find_recipes(ROOT) if item.name == "finn-step@finn-plus-1.6.1")
    environment: Environment = ensure_environment(recipe, cache_folder(), print)
    variables = {**environment_variables(recipe), "PYTHONPATH": str(environment.code), "PATH": os.environ["PATH"]}

    def action() -> None:
        with tempfile.TemporaryDirectory() as target:
            script = ROOT / "tests" / "support" / "one_process.py"
            call([environment.python, script, model, Path(target, "t"), *STEPS], env=variables)

    return action


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


def network(folder: Path, runs: int, model: Path, runtime: str) -> list[Row]:
    """The rows of one model in one runtime."""
    ground = Ground(folder / f"{runtime}-{model.stem}", runtime)
    config = ground.folder / "build.toml"
    for path in DIGITS.iterdir():
        if path.is_file():
            shutil.copy(path, ground.folder / path.name)
    shutil.copy(model, ground.folder / model.name)
    text = (DIGITS / "build.toml").read_text(encoding="utf-8")
    config.write_text(text.replace("digits_w4a4.onnx", model.name), encoding="utf-8")
    fps = itertools.count(20_011, 1_009)

    def run(*more: str) -> None:
        call(ground.command(config, *more), env=ground.env)

    run()  # makes what is made once
    taken = medians(
        {
            "FINN+ in one process": one_process(ground.folder / model.name),
            "cold": After(ground.forget, run),
            "all cached": run,
            "target_fps changed": lambda: run("--set", f"target.target_fps={next(fps)}"),
        },
        runs,
    )
    warm: AbstractContextManager[None] = _up(ground, config) if can_stay_up() else nullcontext()
    with warm:
        if can_stay_up():
            run("--fresh")
            taken |= medians(
                {
                    "warm, everything run again": lambda: run("--fresh"),
                    "warm, target_fps changed": lambda: run("--set", f"target.target_fps={next(fps)}"),
                },
                runs,
            )
    one = taken["FINN+ in one process"]
    goals = {**GOALS, "cold": Goal(1.0 if runtime == "process" else 1.1)}
    return [
        Row(
            group=f"estimates of {model.stem}, {runtime}", what=name, value=value, unit="s", runs=runs,
            goal=goals.get(name), against="one process", ratio=value / one,
        )
        for name, value in taken.items()
    ]  # fmt: skip


def networks(models: list[Path]) -> Callable[[Path, int], list[Row]]:
    """The part for the digits and these models."""

    def part(folder: Path, runs: int) -> list[Row]:
        every = [DIGITS / "digits_w4a4.onnx", *models]
        return [row for runtime in runtimes() for model in every for row in network(folder, runs, model, runtime)]

    return part
