"""How planning a sweep grows from 100 to 10,000 points: the digits' estimates over throughput, clock and part.

Points that differ in more than parameters, as in which steps run and on what, have a plan of their own each.
"""

from __future__ import annotations

import shutil
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
STRUCTURAL = """
[build]
model = "0.onnx"
[parameters.finn-step]
standalone_thresholds = true
[sweep.grid]
"build.model" = {models}
"flow.to" = ["step_streamline", "step_specialize_layers", "step_apply_folding_config", "metrics"]
"quality.verify" = ["stages", "steps"]
"target.part" = ["xczu7ev-ffvc1156-2-e", "xc7z020clg400-1"]
"step.step_streamline.timeout_s" = [1000.0, 2000.0, 3000.0, 4000.0, 5000.0]
"""
MODEL = ROOT / "examples" / "digits" / "digits_w4a4.onnx"


def sweep_plans(folder: Path, _: int) -> list[Row]:
    """The part: `bskernel plan`, once for each number of points."""
    rows = []
    for points in (100, 1_000, 10_000):
        text = CONFIG.format(model=MODEL, count=points // 20)
        rows += _planned(Ground(folder / str(points), "process"), text, f"a sweep of {points} points", points, 5, 300)
    for points in (1_040, 10_000):
        ground = Ground(folder / f"structural-{points}", "process")
        models = [f"{at}.onnx" for at in range(points // 80)]
        for model in models:
            shutil.copy(MODEL, ground.folder / model)
        text = STRUCTURAL.format(models=str(models).replace("'", '"'))
        rows += _planned(ground, text, f"a sweep of {points} points of as many structures", points, 10, None)
    return rows


def _planned(ground: Ground, text: str, group: str, points: int, most_s: float, most_mib: float | None) -> list[Row]:
    config = ground.folder / "sweep.toml"
    config.write_text(text, encoding="utf-8")
    memory, seconds = peak_mib([str(BSKERNEL), "plan", str(config)], ground.env)
    most = points == 10_000
    return [
        Row(
            group=group,
            what="bskernel plan",
            value=seconds,
            unit="s",
            runs=1,
            goal=Goal(most_s, "s") if most else None,
        ),
        Row(
            group=group,
            what="most memory",
            value=memory,
            unit="MiB",
            runs=1,
            goal=Goal(most_mib, "MiB") if most and most_mib is not None else None,
        ),
    ]
