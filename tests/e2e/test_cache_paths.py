"""A cache may lie anywhere: what a path may contain must not matter."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from bskernel.flow.selection import RangeRequest
from bskernel.workspace.workspace import Workspace
from support.builds import build, statuses, write
from support.paths import ROOT

BUILD = '[build]\nname = "sum"\nmodel = "number.txt"\n[[step]]\nentry = "testing:{entry}"\n'


@pytest.fixture(params=["a:b", 'it\'s: "é" $(x)\n;', "-rf * \\:ro,z"])
def cache(tmp_path: Path, environments: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / str(request.param)
    folder.mkdir()
    for name in ("envs", "code"):
        (folder / name).symlink_to(environments / name)
    return folder


@pytest.mark.in_both
def test_a_build_runs_whatever_the_path_of_the_cache_contains(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, BUILD.format(entry="double")))
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path / "build" / "sum") == {"double": "ran"}


@pytest.mark.env
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: install g++, as .ci/run does")
def test_a_simulator_s_library_compiles_below_a_path_with_spaces_to_the_same_bytes(
    environments: Path, tmp_path: Path
) -> None:
    made = []
    for name in ("plain", "with a space"):
        folder = tmp_path / name
        folder.mkdir()
        for shared in ("envs", "code"):
            (folder / shared).symlink_to(environments / shared)
        result = build(
            Workspace(ROOT, folder),
            ROOT / "examples" / "digits" / "rtl.toml",
            tmp_path / f"{name} built",
            range_request=RangeRequest(last="compile_library"),
        )
        assert result.status == "ok", result.failure
        made.append(next(step for step in result.steps if step.name == "compile_library").outputs)
    assert made[0] == made[1]
