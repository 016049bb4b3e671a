"""How planning a sweep grows from 100 to 10,000 points: the digits' estimates over throughput, clock and part."""

from __future__ import annotations

from pathlib import Path

from ground import BSKERNEL, ROOT, Ground
from measurement import Goal, Row, peak_mib

CONFIG = """
[build]
model = "{model}"
[parameters.finn-step]
standalone_thresholds = true
[sweep.grid]
"target.target_fps" = {{ from = 1000, to = 100000, count = {count}, log = true }}
"target.clock_ns" = {{ from = 2.0, to = 11.0, count = 10 }}
"target.part" = ["xczu7ev-ffvc1156-2-e", "xc7z020clg400-1"]
"""
TIME, MEMORY = Goal(5, "s"), Goal(300, "MiB")


def sweep_plans(folder: Path, _: int) -> list[Row]:
    """The part: `bskernel plan`, once for each number of points."""
    rows = []
    for points in (100, 1_000, 10_000):
        ground = Ground(folder / str(points), "process")
        config = ground.folder / "sweep.toml"
        model = ROOT / "examples" / "digits" / "digits_w4a4.onnx"
        config.write_text(CONFIG.format(model=model, count=points // 20), encoding="utf-8")
        memory, seconds = peak_mib([str(BSKERNEL), "plan", str(config)], ground.env)
        group, most = f"a sweep of {points} points", points == 10_000
        rows += [
            Row(
                group=group,
                what="bskernel plan",
                value=seconds,
                unit="s",
                runs=1,
                goal=Goal(5, "s") if most else None,
            ),
            Row(
                group=group,
                what="most memory",
                value=memory,
                unit="MiB",
                runs=1,
                goal=Goal(300, "MiB") if most else None,
            ),
        ]
    return rows
