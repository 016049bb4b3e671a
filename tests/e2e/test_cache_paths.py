"""A cache may lie anywhere: what a path may contain must not matter."""

from pathlib import Path
from typing import Any

import pytest
from support.builds import statuses, write

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
