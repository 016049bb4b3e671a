"""The fastest folding that fits a device, beside the fastest of FINN's own that does."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

from ground import BSKERNEL, ROOT
from measurement import Goal, Row, call
from networks import finn

PART = "xc7z020clg400-1"
EXAMPLES = ("cnv", "resnet-small", "digits-conv")
_LAST = "step_specialize_layers"


def _specialised(folder: Path, example: str) -> Path:
    """The example's model before it is folded, for the part."""
    settings = ("build.flow=rtl", f"target.part={PART}", "target.target_fps=1", "quality.verify=off")
    options = [part for setting in settings for part in ("--set", setting)]
    config = ROOT / "examples" / example / "build.toml"
    call([BSKERNEL, "run", config, "--to", _LAST, "--runtime", "process", "--output", folder, *options])
    return folder / "artifacts" / "model.onnx"


def foldings(folder: Path, _: int) -> list[Row]:
    """For each example both paces, by FINN's estimates, and how long finding and proving the best takes."""
    models = {example: _specialised(folder / example, example) for example in EXAMPLES}
    python, variables = finn()
    script = Path(__file__).with_name("folding_of_finn.py")
    done = subprocess.run(
        [python, script, PART, *models.values()],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # FINN says for each target what does not reach it
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    rows = []
    for example, model in models.items():
        of = found["networks"][str(model)]
        group = f"folding of {example}, 70 % of a Zynq 7020's LUTs"
        rows += [
            Row(group=group, what="FINN's own, for the best target", value=of["finn"], unit="cycles", runs=1),
            Row(
                group=group,
                what="objective fastest: pace",
                value=of["best"],
                unit="cycles",
                runs=1,
                goal=Goal(1.0, at_least=True),
                against="FINN's own",
                ratio=of["finn"] / of["best"],
            ),
            Row(group=group, what="found and proved", value=of["seconds"], unit="s", runs=1, goal=Goal(10, "s")),
        ]
    drawn = found["drawn"]
    rows.append(
        Row(
            group="folding of 50 layers with 20 choices each",
            what="found and proved",
            value=statistics.median(drawn),
            unit="s",
            runs=len(drawn),
            goal=Goal(5, "s"),
        )
    )
    return rows
