"""`make bench`: everything that is claimed about speed, measured side by side in one run.

Writes benchmarks/results.md and results.json. Needs nothing but what `make demo` needs; where no Docker engine answers,
its rows are left out.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bskernel.engine import connect
from bskernel.errors import EnvironmentLacking
from bskernel.images import ensure_environment, environment_variables, find_recipes
from bskernel.images.environment import cache_folder
from bskernel.store import DiskStore

from ground import BSKERNEL, ROOT, Ground, arithmetic_root, makefile, shell_loop, steps
from measuring import Row, call, markdown, medians, peak_mib, seconds

HERE = Path(__file__).resolve().parent
MODELS = {"digits": ROOT / "examples" / "digits" / "digits_w4a4.onnx"}
FINN_STEPS = (
    "step_qonnx_to_finn", "step_tidy_up", "step_streamline", "step_convert_to_hw", "step_minimize_bit_width_initial",
    "step_create_dataflow_partition", "step_specialize_layers", "step_target_fps_parallelization",
    "step_apply_folding_config", "step_minimize_bit_width", "step_transpose_decomposition",
    "step_generate_estimate_reports",
)  # fmt: skip


def engine_image() -> str | None:
    """An image of the testing executor's base to compare with, or None where no engine answers."""
    try:
        client = connect()
    except EnvironmentLacking:
        return None
    tags = [tag for image in client.images() for tag in image["RepoTags"] or [] if "testing" in tag]
    return tags[0] if tags else None


def start_up(_: Path, runs: int) -> list[Row]:
    """How long the command line takes to begin."""
    taken = medians({"help": lambda: call([BSKERNEL, "--help"])}, max(5, runs))
    return [Row(group="start", what="`bskernel --help`", value=taken["help"], unit="s", runs=runs, goal="<= 0.10 s")]


def trivial_steps(folder: Path, runs: int) -> list[Row]:
    """A chain of 12 and 100 independent steps that do next to nothing, in each runtime, beside a shell loop and make."""
    root = arithmetic_root(folder / "root")
    rows: list[Row] = []
    for runtime in ("process", "docker"):
        ground = Ground(folder / runtime, runtime, root=root)
        chain, changed = steps(ground.folder, 12, chained=True), steps(ground.folder, 12, chained=True, last=2)
        many = steps(ground.folder, 100, chained=False)
        try:
            call(ground.command(chain), env=ground.env)  # makes what is made once
        except OSError:
            continue
        if runtime == "docker" and (image := engine_image()) is None:
            continue

        def cold(config: Path, ground: Ground = ground) -> Callable[[], None]:
            def action() -> None:
                ground.forget()
                call(ground.command(config), env=ground.env)

            return action

        def again(config: Path, ground: Ground = ground) -> Callable[[], None]:
            return lambda: call(ground.command(config), env=ground.env)

        fresh = iter(range(10, 10_000))

        def last_changed(ground: Ground = ground, fresh: object = fresh) -> None:
            config = steps(ground.folder, 12, chained=True, last=next(fresh))  # type: ignore[call-overload]
            call(ground.command(config), env=ground.env)

        loop, made = folder / "loop", folder / f"make-{runtime}"
        for path in (loop, made):
            path.mkdir(exist_ok=True)
        actions: dict[str, Callable[[], object]] = {"12 cold": cold(chain)}
        actions["12 cached"] = again(chain)
        actions["12 last changed"] = last_changed
        actions["100 cold"] = cold(many)
        actions["100 cached"] = again(many)
        if runtime == "docker":
            actions["loop 12"] = lambda: call(shell_loop(loop, str(image), 12))
            actions["loop 100"] = lambda: call(shell_loop(loop, str(image), 100))
        taken = medians(actions, runs)
        group = f"trivial steps, {runtime}"
        goals = {"12 cold": ("<= 0.25", "loop 12"), "100 cold": ("<= 0.1", "loop 100")}
        for name, value in taken.items():
            goal, against = goals.get(name, ("", ""))
            ratio = value / taken[against] if against in taken else None
            if name == "12 cached":
                goal = "<= 0.20 s"
            what = name.replace("loop", "shell loop of docker run,")
            rows.append(
                Row(group=group, what=what, value=value, unit="s", runs=runs, goal=goal,
                    against="the shell loop" if ratio else "", ratio=ratio)
            )  # fmt: skip
        overhead = (taken["100 cold"] - taken["12 cold"]) / 88 * 1e3
        rows.append(
            Row(group=group, what="one more step", value=overhead, unit="ms", runs=runs, goal="<= 5 ms per step")
        )
        del changed
    return rows


def finn_builds(folder: Path, runs: int) -> list[Row]:
    """Estimate builds of real networks, beside the same steps of FINN+ in one process."""
    recipe = next(item for item in find_recipes(ROOT) if item.name == "finn-step@finn-plus-1.6.1")
    environment = ensure_environment(recipe, cache_folder(), print)
    variables = {**environment_variables(recipe), "PYTHONPATH": str(environment.code), "PATH": os.environ["PATH"]}
    rows: list[Row] = []
    for runtime in ("process", "docker"):
        for name, model in MODELS.items():
            ground = Ground(folder / f"{runtime}-{name}", runtime)
            config = ground.folder / "build.toml"
            shutil.copy(model, ground.folder / model.name)
            text = (ROOT / "examples" / "digits" / "build.toml").read_text(encoding="utf-8")
            config.write_text(text.replace("digits_w4a4.onnx", model.name), encoding="utf-8")
            if runtime == "docker" and engine_image() is None:
                continue
            call(ground.command(config), env=ground.env)

            def one_process(model: Path = model) -> None:
                with tempfile.TemporaryDirectory() as target:
                    script = ROOT / "tests" / "e2e" / "one_process.py"
                    call([environment.python, script, model, Path(target, "t"), *FINN_STEPS], env=variables)

            def cold(ground: Ground = ground, config: Path = config) -> None:
                ground.forget()
                call(ground.command(config), env=ground.env)

            def cached(ground: Ground = ground, config: Path = config) -> None:
                call(ground.command(config), env=ground.env)

            fresh = iter(random.Random(0).sample(range(1_000, 90_000), 1_000))

            def late(ground: Ground = ground, config: Path = config, fresh: object = fresh) -> None:
                fps = f"target.target_fps={next(fresh)}"  # type: ignore[call-overload]
                call(ground.command(config, "--set", fps), env=ground.env)

            taken = medians({"one": one_process, "cold": cold, "cached": cached, "late": late}, runs)
            group = f"estimates of {name}, {runtime}"
            rows.append(Row(group=group, what="FINN+ in one process", value=taken["one"], unit="s", runs=runs))
            goals = {"cold": "<= 1.0" if runtime == "process" else "<= 1.1", "cached": "<= 0.03", "late": ""}
            what = {
                "cold": "bskernel, cold",
                "cached": "bskernel, all cached",
                "late": "bskernel, target_fps changed",
            }
            rows += [
                Row(group=group, what=what[key], value=taken[key], unit="s", runs=runs, goal=goals[key],
                    against="one process", ratio=taken[key] / taken["one"])
                for key in ("cold", "cached", "late")
            ]  # fmt: skip
    return rows


def store(folder: Path, runs: int) -> list[Row]:
    """How fast bytes go into the store and out of it: 1 GiB in one file and in 16,384."""
    rows = []
    for count in (1, 16_384):
        tree = folder / f"tree-{count}"
        tree.mkdir(parents=True)
        block = random.Random(0).randbytes((1 << 30) // count)
        for at in range(count):
            (tree / f"{at:05d}").write_bytes(at.to_bytes(4, "little") + block[4:])
        target = DiskStore(folder / f"store-{count}")

        def capture(count: int = count, tree: Path = tree) -> None:
            shutil.rmtree(folder / f"store-{count}", ignore_errors=True)
            DiskStore(folder / f"store-{count}").capture(tree, "t", "tree", "application/octet-stream")

        taken = medians({"capture": capture}, runs)["capture"]
        artifact = target.capture(tree, "t", "tree", "application/octet-stream")

        def materialise(artifact: object = artifact, target: DiskStore = target) -> None:
            shutil.rmtree(folder / "laid", ignore_errors=True)
            target.materialise(artifact, folder / "laid")  # type: ignore[arg-type]

        out = medians({"materialise": materialise}, runs)["materialise"]
        for what, value in (("captured", taken), ("laid out", out)):
            rows.append(
                Row(group="store, 1 GiB", what=f"{count} files {what}", value=1024 / value, unit="MiB/s", runs=runs)
            )
        shutil.rmtree(tree)
    return rows


def long_plans(folder: Path, _: int) -> list[Row]:
    """How planning, steps and memory grow from 100 to 10,000 steps."""
    root = arithmetic_root(folder / "root")
    rows = []
    for count in (100, 1_000, 10_000):
        ground = Ground(folder / str(count), "process", root=root)
        config = steps(ground.folder, count, chained=True)
        planned = seconds(lambda config=config, ground=ground: call([BSKERNEL, "plan", config], env=ground.env))
        ran = seconds(lambda config=config, ground=ground: call(ground.command(config), env=ground.env))
        cached = seconds(lambda config=config, ground=ground: call(ground.command(config), env=ground.env))
        memory = peak_mib(ground.command(config), ground.env)
        group = f"a plan of {count} steps"
        goal = count == 10_000
        rows += [
            Row(group=group, what="bskernel plan", value=planned, unit="s", runs=1),
            Row(
                group=group,
                what="run, cold",
                value=count / ran,
                unit="steps/s",
                runs=1,
                goal=">= 400" if goal else "",
            ),
            Row(group=group, what="run, cached", value=cached, unit="s", runs=1),
            Row(group=group, what="kernel's memory", value=memory, unit="MiB", runs=1, goal="< 150" if goal else ""),
        ]
    return rows


PARTS = {
    "start": start_up, "trivial": trivial_steps, "finn": finn_builds, "store": store, "plans": long_plans,
}  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: {', '.join(PARTS)}")
    rows: list[Row] = []
    for name, part in PARTS.items():
        if not arguments.parts or name in arguments.parts:
            with tempfile.TemporaryDirectory(prefix="bskernel-bench-") as folder:
                print(f"measuring {name}", file=sys.stderr, flush=True)
                rows += part(Path(folder), arguments.runs)
    date = datetime.datetime.now(tz=datetime.timezone.utc).date()
    machine = f"{date}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    (HERE / "results.json").write_text(
        json.dumps({"machine": machine, "rows": [row.as_dict() for row in rows]}, indent=2) + "\n", encoding="utf-8"
    )
    (HERE / "results.md").write_text(markdown(rows, machine), encoding="utf-8")
    print(markdown(rows, machine))


if __name__ == "__main__":
    main()
