"""FINN+'s code of examples/cnv, with words of memories packed as FINN+ does and as the executor does."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from typing import Any

from ground import ROOT, Ground
from measurement import Row, call
from networks import finn

_WORKER = ROOT / "tests" / "support" / "codegen_worker.py"
_PACKINGS = ("finn", "bskernel")


def code_generation(folder: Path, runs: int) -> list[Row]:
    """The part: processor time, which other work on the machine changes less than seconds.

    Raises SystemExit if the two packings write different code.
    """
    ground = Ground(folder / "cnv", "process")
    for name in ("build.toml", "cnv_2w2a.onnx"):
        shutil.copy(ROOT / "examples" / "cnv" / name, ground.folder / name)
    to_the_code = ("--to", "insert_deep_fifos", "--set", "quality.verify=off")
    call(ground.command(ground.folder / "build.toml", *to_the_code), env=ground.env)
    model = ground.folder / "out" / "artifacts" / "model.onnx"
    python, variables = finn()

    def generate(packing: str, at: int) -> dict[str, Any]:
        code, result = folder / f"{packing}-{at}", folder / f"{packing}-{at}.json"
        code.mkdir()
        call([python, _WORKER, model, code, packing, result], env=variables)
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found

    found = {(packing, at): generate(packing, at) for at in range(runs) for packing in _PACKINGS}
    if len({item["digest"] for item in found.values()}) > 1:
        raise SystemExit("the code of examples/cnv is not the same with both packings")
    theirs, ours = (
        statistics.median(item["seconds"] for (kind, _), item in found.items() if kind == packing)
        for packing in _PACKINGS
    )
    group = "examples/cnv, FINN+'s code"
    layers = f"processor time, {found['finn', 0]['layers']} layers"
    return [
        Row(group=group, what=f"{layers}: words packed by FINN+", value=theirs, unit="s", runs=runs),
        Row(
            group=group, what=f"{layers}: words packed by bskernel", value=ours, unit="s", runs=runs,
            against="FINN+", ratio=ours / theirs,
        ),
    ]  # fmt: skip
