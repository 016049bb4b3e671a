"""An executor whose library is taken from a git repository, from its recipe to a build's result."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bskernel.images import find_recipes
from bskernel.images.engine import connect
from bskernel.images.recipe_image import environment_name, image_name

HERE = Path(__file__).parents[1]
ROOT = HERE.parent
RECIPE = """
executor = "tiny"
version = "1"
summary = "multiplies by what the package tiny says"
module = "uses_tiny"
sources = [
  "bskernel_protocol",
  "bskernel_executors/__init__.py",
  "bskernel_executors/sdk",
  "../../../testing_source/uses_tiny.py",
]
[[source]]
name = "tiny"
commit = "{commit}"
keep = true
"""
CONFIG = '[build]\nname = "product"\nmodel = "number.txt"\n[[step]]\nentry = "tiny:multiply"\n'


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null"}
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    shutil.copytree(HERE / "testing_source", folder, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "tiny")
    return folder


@pytest.fixture
def checkout(tmp_path: Path, repository: Path) -> Path:
    """A checkout with one recipe that nobody has described yet."""
    folder = tmp_path / "checkout"
    image = folder / "images" / "tiny" / "1"
    image.mkdir(parents=True)
    for name in ("protocol", "executors", "docker"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "testing_source").symlink_to(HERE / "testing_source")
    shutil.copyfile(HERE / "testing_executor" / "requirements.lock", image / "requirements.lock")
    (image / "image.toml").write_text(RECIPE.format(commit=git(repository, "rev-parse", "HEAD")))
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty one: the recipe's environment is made in it."""
    return tmp_path / "cache"


@pytest.fixture
def surroundings(surroundings: dict[str, str], checkout: Path) -> dict[str, str]:
    return surroundings | {"BSKERNEL_ROOT": str(checkout)}


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(CONFIG)
    return str(tmp_path / "build.toml")


@pytest.fixture
def _no_image_of_tiny_is_left(runtime: str, checkout: Path) -> Iterator[None]:
    yield
    if runtime == "docker":
        client = connect()
        (recipe,) = find_recipes(checkout)
        for name in (image_name(recipe), environment_name(recipe)):
            client.remove_image(name, force=True)
        client.close()


def describe(cli: Any, checkout: Path) -> None:
    described = cli("images", "describe", "tiny@1")
    assert described.returncode == 0, described.stderr
    (checkout / "images" / "tiny" / "1" / "catalogue.json").write_text(described.stdout)


@pytest.mark.in_both
@pytest.mark.usefixtures("_no_image_of_tiny_is_left")
def test_a_build_uses_a_library_from_a_git_source(
    cli: Any, checkout: Path, repository: Path, surroundings: dict[str, str], config: str, tmp_path: Path
) -> None:
    surroundings["BSKERNEL_SOURCE_TINY"] = str(repository)
    describe(cli, checkout)
    done = cli("run", config)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "build" / "product" / "artifacts" / "model").read_text() == "210"
    (step,) = json.loads((tmp_path / "build" / "product" / "result.json").read_text())["steps"]
    assert step["record"]["table"] == "$Format:%H$\n"
    # Once it is made, nobody asks for the repository any more.
    del surroundings["BSKERNEL_SOURCE_TINY"]
    shutil.rmtree(repository)
    assert cli("run", config, "--fresh").returncode == 0


def test_a_build_without_the_source_says_what_to_set(
    cli: Any, checkout: Path, repository: Path, surroundings: dict[str, str], config: str, tmp_path: Path
) -> None:
    surroundings["BSKERNEL_SOURCE_TINY"] = str(repository)
    describe(cli, checkout)
    surroundings |= {"BSKERNEL_CACHE": str(tmp_path / "other"), "BSKERNEL_SOURCE_TINY": ""}
    done = cli("run", config)
    assert done.returncode == 4
    assert "tiny@1: source tiny at commit" in done.stdout
    assert "set BSKERNEL_SOURCE_TINY to a git repository" in done.stdout


def test_a_recipe_that_nobody_described_breaks_no_other_command(cli: Any, config: str) -> None:
    listed = cli("steps")
    assert listed.returncode == 0
    command = "bskernel images describe tiny@1 --write"
    assert listed.stdout == f"tiny@1: not described yet: run {command}\n"
    assert cli("images", "list").returncode == 0
    checked = cli("images", "check")
    assert checked.returncode == 4
    assert "catalogue cannot be checked: tiny@1: source tiny at commit" in checked.stdout
    for arguments in (("plan", config), ("steps", "tiny"), ("run", config)):
        done = cli(*arguments)
        assert done.returncode == 4
        assert "tiny@1 is not described yet: its recipe has no catalogue.json" in done.stderr
        assert command in done.stderr
