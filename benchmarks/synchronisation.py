"""What it costs a build that its results are on the disk before it says ok: with and without BSKERNEL_SYNC=no."""

from __future__ import annotations

import functools
import random
from pathlib import Path

from ground import Ground, arithmetic_root, steps
from measurement import After, Row, call, medians

_LARGE = 256 << 20  # bytes


def _large_model(folder: Path) -> Path:
    """A config of one step whose input is large, and has to be copied."""
    (folder / "large.bin").write_bytes(random.Random(0).randbytes(1 << 20) * (_LARGE >> 20))
    config = folder / "large.toml"
    config.write_text(
        '[build]\nname = "bench"\nmodel = "large.bin"\n[[step]]\nname = "quiet"\nentry = "testing:draw"\n',
        encoding="utf-8",
    )
    return config


def synchronisation(folder: Path, runs: int) -> list[Row]:
    """The part: cold builds of little and of much, in turns; and one that only recalls, which has nothing to sync."""
    ground = Ground(folder / "process", "process", root=arithmetic_root(folder / "root"))
    chain = steps(ground.folder, 12, chained=True)
    call(ground.command(chain), env=ground.env)  # makes what is made once

    def run(config: Path, env: dict[str, str]) -> None:
        call(ground.command(config), env=env)

    ways = {"synchronised": ground.env, "BSKERNEL_SYNC=no": ground.env | {"BSKERNEL_SYNC": "no"}}
    rows = []
    builds = {
        "12 chained trivial steps, cold": (chain, True),
        "12 chained trivial steps, cached": (chain, False),
        f"a model of {_LARGE >> 20} MiB, cold": (_large_model(ground.folder), True),
    }
    for what, (config, cold) in builds.items():
        call(ground.command(config), env=ground.env)
        actions = {
            name: After(ground.forget if cold else int, functools.partial(run, config, env))
            for name, env in ways.items()
        }
        taken = medians(actions, 3 * runs)
        without = taken["BSKERNEL_SYNC=no"]
        rows += [
            Row(
                group=f"synchronising, {what}",
                what=name,
                value=value,
                unit="s",
                runs=3 * runs,
                against="" if value is without else "BSKERNEL_SYNC=no",
                ratio=None if value is without else value / without,
            )
            for name, value in taken.items()
        ]
    return rows
