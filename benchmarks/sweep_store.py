"""A sweep of 1,000 points of two trivial steps on four local workers that share a store: what one action takes."""

from __future__ import annotations

import functools
import statistics
from pathlib import Path

import msgspec
from ground import BSKERNEL, Ground, arithmetic_root, steps
from measurement import Goal, Row, call, seconds
from mechanisms import INDEPENDENT, bare_rows, independent

POINTS, WORKERS = 1_000, 4
_ACTIONS = 2 * POINTS
_FLOW = """
[[step]]
name = "first"
entry = "testing:add"
[[step]]
name = "second"
entry = "testing:add"
parameters = { number = 1 }
"""
_SWEEP = f"""
[build]
model = "number.txt"
flow = "flow.toml"
[sweep.grid]
"step.first.parameters.number" = {{ from = 2, to = {POINTS + 1}, step = 1 }}
"""


def sweep_store(folder: Path, _: int) -> list[Row]:
    """The part: each once. The start of scheduler and workers is part of the time."""
    root = arithmetic_root(folder / "root")
    group = f"a sweep of {POINTS} points on {WORKERS} local workers"
    taken, least = {}, independent(folder, 1_000)
    bare = [least()[INDEPENDENT]]
    for name, shares in (("one action, with a shared store", True), ("one action, without", False)):
        ground = Ground(folder / name, "process", root=root)
        call(ground.command(steps(ground.folder, 1, chained=True)), env=ground.env)  # makes what is made once
        (ground.folder / "flow.toml").write_text(_FLOW, encoding="utf-8")
        config, output = ground.folder / "sweep.toml", ground.folder / "swept"
        config.write_text(_SWEEP, encoding="utf-8")
        (ground.folder / "store").mkdir()
        store = {"BSKERNEL_STORE": str(ground.folder / "store"), "BSKERNEL_STORE_MODE": "write-through"}
        command: list[str | Path] = [BSKERNEL, "sweep", config, "--output", output, "--cluster", f"local:{WORKERS}"]
        env = {**ground.env, **(store if shares else {})}
        taken[name] = seconds(functools.partial(call, command, env=env))
        counts = msgspec.json.decode((output / "sweep.json").read_bytes())["counts"]
        if counts["ran"] != _ACTIONS:
            raise RuntimeError(f"{counts} in place of {_ACTIONS} actions")
        bare.append(least()[INDEPENDENT])
    rows = [
        Row(
            group=group,
            what=name,
            value=value / _ACTIONS * 1e3,
            unit="ms",
            runs=1,
            goal=Goal(10, "ms") if name.endswith("store") else None,
            beside=not name.endswith("store"),
        )
        for name, value in taken.items()
    ]
    return rows + bare_rows(group, {INDEPENDENT: statistics.median(bare)}, len(bare))
