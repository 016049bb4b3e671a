"""A project that brings its own executors: its recipes come first in its builds alone, once its user trusts it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Cli
from support.paths import ROOT

pytestmark = pytest.mark.env
BUILD = """
[build]
name = "sum"
model = "number.txt"
[recipes]
path = ["recipes"]
[[step]]
entry = "mine:double"
"""
ASKED = "recipes.path = recipes: programs and packages from there run on this machine"
TOML = """
executor = "mine"
version = "1"
summary = "arithmetic of a project"
module = "arithmetic"
sources = [
  "bskernel_protocol",
  "bskernel_executors/__init__.py",
  "bskernel_executors/sdk",
  "../../code/arithmetic.py",
  "../../code/attempts.py",
]
"""


@pytest.fixture
def surroundings(surroundings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Those of a user who trusts nothing yet."""
    return surroundings | {"BSKERNEL_TRUST": "", "XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def project(tmp_path: Path, cli: Cli, surroundings: dict[str, str]) -> Path:
    """A project with a recipe of its own, described, that works like the testing executor."""
    folder = tmp_path / "project"
    image = folder / "recipes" / "mine" / "1"
    image.mkdir(parents=True)
    (folder / "build.toml").write_text(BUILD)
    (folder / "number.txt").write_text("5")
    (image / "image.toml").write_text(TOML)
    testing = ROOT / "tests" / "testing_executor"
    shutil.copy(testing / "requirements.lock", image)
    code = folder / "recipes" / "code"
    code.mkdir()
    for name in ("arithmetic.py", "attempts.py"):
        shutil.copy(testing / name, code)
    text = (code / "arithmetic.py").read_text()
    assert text.count('executor="testing"') == 1
    (code / "arithmetic.py").write_text(text.replace('executor="testing"', 'executor="mine"'))
    surroundings["BSKERNEL_RECIPES"] = str(folder / "recipes")
    described = cli("images", "describe", "mine", "--write")
    assert described.returncode == 0, described.stderr
    del surroundings["BSKERNEL_RECIPES"]
    return folder


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_project_may_bring_executors_only_once_it_is_trusted_and_as_they_were_then(cli: Cli, project: Path) -> None:
    build = "project/build.toml"
    refused = cli("plan", build)
    assert refused.returncode == 6
    assert f"build.toml: {ASKED}" in refused.stderr
    assert "bskernel trust" in refused.stderr
    assert f"  {ASKED}" in said(cli("trust", "--show", build))
    assert cli("run", build).returncode == 6
    said(cli("trust", build))
    assert "1 steps ran" in said(cli("run", build))
    assert "1 recalled" in said(cli("run", build))
    with (project / "recipes" / "code" / "attempts.py").open("a") as file:
        file.write("# changed\n")
    assert cli("run", build).returncode == 6


def test_what_the_user_names_needs_no_trust(cli: Cli, project: Path, surroundings: dict[str, str]) -> None:
    (project / "build.toml").write_text(BUILD.replace('path = ["recipes"]', ""))
    given = cli("plan", "project/build.toml", "--set", 'recipes.path=["recipes"]')
    assert "mine@1" in said(given)
    assert "unknown executor 'mine'" in cli("plan", "project/build.toml").stderr
    surroundings["BSKERNEL_RECIPES"] = str(project / "recipes")
    assert f"recipe {project / 'recipes' / 'mine' / '1'}\n" in said(cli("plan", "project/build.toml", "-v"))


def test_a_recipe_of_the_project_is_used_in_place_of_one_of_the_same_name(
    cli: Cli, project: Path, surroundings: dict[str, str]
) -> None:
    surroundings["BSKERNEL_TRUST"] = "1"
    changed = shutil.copytree(project / "recipes", project / "changed")
    (changed / "code" / "attempts.py").write_text((changed / "code" / "attempts.py").read_text() + "# changed\n")
    surroundings["BSKERNEL_RECIPES"] = str(changed)
    assert f"recipe {project / 'recipes'}" in said(cli("plan", "project/build.toml", "-v"))
    (state,) = (one for one in json.loads(said(cli("images", "list", "--json"))) if one["name"] == "mine@1")
    assert state["folder"].startswith(str(changed))


def test_a_sweep_and_warm_sessions_and_cluster_workers_know_the_recipes_of_a_project(
    cli: Cli, project: Path, surroundings: dict[str, str]
) -> None:
    surroundings["BSKERNEL_TRUST"] = "1"
    assert "1 steps ran" in said(cli("run", "project/build.toml", "--cluster", "local:1"))
    (project / "sweep.toml").write_text(BUILD + '[sweep.grid]\n"build.salt" = ["a", "b"]\n')
    swept = cli("sweep", "project/sweep.toml")
    assert swept.returncode == 0, swept.stdout + swept.stderr
    try:
        assert "mine@1" in said(cli("up", "project/build.toml"))
        assert "using a warm session" in cli("run", "project/build.toml", "--fresh", "--verbose").stderr
    finally:
        cli("down")


def test_a_point_of_a_sweep_cannot_bring_executors(cli: Cli, project: Path, surroundings: dict[str, str]) -> None:
    surroundings["BSKERNEL_TRUST"] = "1"
    (project / "sweep.toml").write_text(BUILD + '[sweep.grid]\n"recipes.path" = [["a"]]\n')
    refused = cli("plan", "project/sweep.toml")
    assert refused.returncode == 2
    assert "a point cannot set recipes: the whole sweep knows the same executors" in refused.stderr


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("gone", "project/gone: no such folder"),
        ("recipes/code", "project/recipes/code: no recipe in it"),
        ("number.txt", "project/number.txt: no such folder"),
    ],
)
def test_a_wrong_folder_is_named_with_the_file_and_key_that_name_it(
    cli: Cli, project: Path, path: str, says: str
) -> None:
    (project / "build.toml").write_text(BUILD.replace('"recipes"', f'"{path}"'))
    done = cli("plan", "project/build.toml")
    assert done.returncode == 2
    assert "project/build.toml: recipes.path: " in done.stderr
    assert says in done.stderr
