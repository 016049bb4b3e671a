"""Fixtures: a whole bskernel of its own, with an executor that needs no domain libraries."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel.images import describe, find_recipes

HERE = Path(__file__).parent
ROOT = HERE.parent


def make_root(folder: Path, environments: Path) -> Path:
    """A checkout-like folder that knows the testing executor alone."""
    image = folder / "images" / "testing" / "1"
    image.mkdir(parents=True)
    for name in ("protocol", "executors"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "testing_executor").symlink_to(HERE / "testing_executor")
    for name in ("image.toml", "requirements.lock"):
        (image / name).write_bytes((HERE / "testing_executor" / name).read_bytes())
    (image / "catalogue.json").write_text(describe(find_recipes(folder)[0], environments))
    return folder


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache whose environments all tests share."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Path:
    return make_root(tmp_path_factory.mktemp("checkout"), environments)


@pytest.fixture
def cache(tmp_path: Path, environments: Path) -> Path:
    """An empty cache, but for environments that are made already."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for name in ("envs", "code"):
        (folder / name).symlink_to(environments / name)
    return folder


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(root: Path, cache: Path, tmp_path: Path) -> Cli:
    """Call the bskernel command as a user does."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "bskernel"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "BSKERNEL_ROOT": str(root), "BSKERNEL_CACHE": str(cache)},
        )

    return call
