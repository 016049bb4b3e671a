"""Workers of a cluster beside one another: does twice as many take half as long?"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

from ground import Ground, arithmetic_root, steps
from measurement import After, Goal, Row, call, medians
from mechanisms import CLUSTER, SLEEP, bare_cluster, bare_rows

_STEPS = 40


def cluster(folder: Path, runs: int) -> list[Row]:
    """The part: whole commands, the start of scheduler and workers included, which takes the same for any number."""
    ground = Ground(folder / "ground", "process", root=arithmetic_root(folder / "root"))
    # Each adds another number: equal steps would run once.
    config = steps(ground.folder, _STEPS, chained=False, entry="nap", last=_STEPS)

    def run(where: str) -> None:
        call([*ground.command(config), "--cluster", where], env=ground.env)

    where = {1: "local:1", 2: "local:2"}
    runs = min(runs, 3)
    (bare := folder / "bare").mkdir()
    least: dict[str, Callable[[], None]] = {CLUSTER: bare_cluster(bare), SLEEP: lambda: time.sleep(1)}
    ours = {name: After(ground.forget, functools.partial(run, name)) for name in where.values()}
    taken = medians({**ours, **least}, runs)
    one, two = (taken[name] for name in where.values())
    group = f"{_STEPS} independent steps of 1 s, on a cluster"
    return [
        Row(group=group, what="one worker", value=one, unit="s", runs=runs),
        Row(
            group=group,
            what="two workers",
            value=two,
            unit="s",
            runs=runs,
            goal=Goal(0.513),  # 1.95 times as fast
            against="one worker",
            ratio=two / one,
        ),
        *bare_rows(group, {name: taken[name] for name in least}, runs),
    ]
