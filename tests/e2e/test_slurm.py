"""On a real Slurm of one node; asked for by BSKERNEL_SLURM=1: its packages are downloaded the first time."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.paths import ROOT

BUILD = """
[build]
name = "b"
model = "number.txt"

[cluster]
workers = 2
cores = 1
memory = "1GB"
walltime = "00:10:00"
logs = "logs"
cache = "{cache}"

[[step]]
name = "a"
entry = "testing:add"
inputs = {{ model = "number.txt" }}
parameters = {{ number = 7 }}
memory_mib = 500

[[step]]
name = "b"
entry = "testing:double"
inputs = {{ model = "a.model" }}

[[step]]
name = "c"
entry = "testing:add"
inputs = {{ model = "b.model" }}

[sweep.grid]
"target.target_fps" = [1, 2, 3]
"""


@pytest.mark.skipif(not os.environ.get("BSKERNEL_SLURM"), reason="BSKERNEL_SLURM is not set")
def test_jobs_of_slurm_carry_a_sweep_out_and_end_with_it_and_a_build_recalls_what_they_made(
    surroundings: dict[str, str], tmp_path: Path, cache: Path, environments: Path, root: Path
) -> None:
    there, shared = tmp_path / "there", tmp_path / "shared"
    there.mkdir()
    shared.mkdir()
    for name in ("envs", "code"):
        (there / name).symlink_to(environments / name)
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(BUILD.format(cache=there))
    # Slurm has been told to end the jobs when the build ends, and takes a moment.
    over = 'for _ in $(seq 100); do [ -z "$(squeue --noheader)" ] && break; sleep 0.1; done'
    sweep, build = (f"bskernel {command} build.toml --cluster slurm" for command in ("sweep", "run"))
    script = f"{sweep} && {over} && squeue --noheader && {build} --set target.target_fps=2 && ls logs"
    done = subprocess.run(
        [str(ROOT / "tests" / "cluster" / "slurm_one_node.sh"), "bash", "-c", script],
        env=surroundings
        | {
            "BSKERNEL_STORE": str(shared),
            "BSKERNEL_STORE_MODE": "write-through",
            "SLURM_ALSO": f"{tmp_path}:{environments}:{root}",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "build" / "b-sweep" / "sweep.json").read_text())
    assert [row["status"] for row in kept["table"]["rows"]] == ["ok"] * 3
    assert (kept["counts"]["ran"], kept["counts"]["recalled"]) == (2 + 3, 0)
    artifacts = (tmp_path / "build" / "b-sweep").glob("points/*/artifacts/model")
    assert sorted(path.read_text() for path in artifacts) == ["25", "26", "27"]
    result = json.loads((tmp_path / "build" / "b" / "result.json").read_text())
    assert [step["status"] for step in result["steps"]] == ["recalled"] * 3
    assert done.stdout.splitlines()[-4:] == [f"dask-worker-{job}.{kind}" for job in (1, 2) for kind in ("err", "out")]
    assert list((there / "sessions").iterdir()) == []
    assert len(list((shared / "actions").glob("*/*"))) == 2 + 3
