"""The digits' sweep of 64 points, beside 64 runs of FINN+ one after another, of which one is measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ground import BSKERNEL, Ground
from measurement import After, Goal, Row, call, medians
from mechanisms import (
    CODEC,
    IMPORTS,
    INDEPENDENT,
    SHARED,
    SINGLE,
    bare_rows,
    independent,
    start_codec,
)
from networks import DIGITS, finn_imports, one_process, steps_alone

POINTS = 64
_NAMES = {"target.part": "fpga_part", "target.clock_ns": "synth_clk_period_ns", "target.target_fps": "target_fps"}
GOALS = {"cold": Goal(0.025), "all cached": Goal(1, "s")}


def digits_sweep(folder: Path, runs: int) -> list[Row]:
    """The part, in the process runtime."""
    ground = Ground(folder / "digits", "process")
    for name in ("sweep.toml", "digits_w4a4.onnx"):
        shutil.copy(DIGITS / name, ground.folder / name)
    output = ground.folder / "out"

    def run() -> None:
        call([BSKERNEL, "sweep", ground.folder / "sweep.toml", "--output", output], env=ground.env)

    def forget() -> None:
        ground.forget()
        ground.put_aside(output)

    run()  # makes what is made once
    points = ground.folder / "points.json"
    kept = json.loads((output / "sweep.json").read_text(encoding="utf-8"))["table"]["rows"]
    settings = [{_NAMES[key]: value for key, value in row["settings"].items()} for row in kept]
    points.write_text(json.dumps(settings), encoding="utf-8")
    model = ground.folder / "digits_w4a4.onnx"
    one = "FINN+ in one process, one point"
    taken = medians(
        {
            one: one_process(model),
            "cold": After(forget, run),
            "all cached": run,
            SHARED: steps_alone(model, (SHARED, SINGLE), "--points", points, "--twice"),
            IMPORTS: finn_imports(),
            CODEC: start_codec,
            INDEPENDENT: independent(ground.folder),
        },
        runs,
    )
    group = f"a sweep of {POINTS} points of digits"
    rows = [Row(group=group, what=one, value=taken.pop(one), unit="s", runs=runs)]
    against = f"{POINTS} of those"
    rows += [
        Row(
            group=group, what=name, value=value, unit="s", runs=runs,
            goal=GOALS[name], against=against, ratio=value / (POINTS * rows[0].value),
        )
        for name in GOALS
        for value in (taken.pop(name),)
    ]  # fmt: skip
    rows += [Row(group=group, what=name, value=taken.pop(name), unit="s", runs=runs) for name in (SHARED, SINGLE)]
    return rows + bare_rows(group, taken, runs)
