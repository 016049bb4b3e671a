"""How planning, steps and memory grow from 100 to 10,000 steps; what an idle executor holds."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
from ground import BSKERNEL, Ground, arithmetic_root, steps
from measurement import Goal, Row, call, peak_mib, seconds
from mechanisms import bare_rows, chained


def long_plans(folder: Path, _: int) -> list[Row]:
    """The part: each once, for the longest take minutes."""
    root = arithmetic_root(folder / "root")
    rows = []
    for count in (100, 1_000, 10_000):
        ground = Ground(folder / str(count), "process", root=root)
        config = steps(ground.folder, count, chained=True)
        command = ground.command(config)
        planned = seconds(functools.partial(call, [BSKERNEL, "plan", config], env=ground.env))
        bare = chained(folder, 1_000)
        before = bare()
        memory, ran = peak_mib(command, ground.env)
        after = bare()
        cached = seconds(functools.partial(call, command, env=ground.env))
        group, long = f"a chain of {count} steps", count == 10_000
        result = msgspec.json.decode((ground.folder / "out" / "result.json").read_bytes())
        if {step["status"] for step in result["steps"]} != {"recalled"}:
            raise RuntimeError("a build that was done before ran again")
        rows += [
            Row(group=group, what="bskernel plan", value=planned, unit="s", runs=1),
            Row(
                group=group,
                what="run, cold",
                value=count / ran,
                unit="steps/s",
                runs=1,
                goal=Goal(400, "steps/s", at_least=True) if long else None,
            ),
            Row(group=group, what="run, cached", value=cached, unit="s", runs=1),
            Row(
                group=group,
                what="kernel, most memory",
                value=memory,
                unit="MiB",
                runs=1,
                goal=Goal(150, "MiB") if long else None,
            ),
            *bare_rows(group, {name: (before[name] + after[name]) / 2 for name in before}, 2),
        ]
    return rows
