"""bskernel as an installed package: no checkout is in reach, and its executors are the checkout's and strangers'."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bskernel.images.engine import connect
from support.paths import ROOT

pytestmark = pytest.mark.env
MEMBERS = ("protocol", "kernel", "executors", "images")


UV = shutil.which("uv") or str(Path(sys.executable).parent / "uv")


def uv(*arguments: object) -> None:
    subprocess.run([UV, *map(str, arguments)], check=True)


def make_environment(folder: Path, *packages: object, wheels: Path) -> Path:
    """Make a virtual environment with these packages; returns its command bskernel."""
    uv("venv", "--quiet", "--python", sys.executable, folder)
    uv("pip", "install", "--quiet", "--python", folder / "bin" / "python", "--find-links", wheels, *packages)
    return folder / "bin" / "bskernel"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that holds the wheels of this checkout, and what they depend on."""
    folder = tmp_path_factory.mktemp("installed")
    for member in MEMBERS:
        uv("build", "--quiet", "--wheel", "--out-dir", folder / "wheels", ROOT / member)
    return make_environment(folder / "environment", "bskernel", wheels=folder / "wheels")


@pytest.fixture(scope="module")
def wheels(installed: Path) -> Path:
    return installed.parents[2] / "wheels"


@pytest.fixture(scope="module")
def package(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of a new executor, as the installed command writes it."""
    folder = tmp_path_factory.mktemp("stranger")
    call(installed, folder, folder / "cache", "new-executor", "net-size")
    return folder / "net-size"


@pytest.fixture(scope="module")
def beside(package: Path, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment in which the package is installed beside bskernel."""
    return make_environment(tmp_path_factory.mktemp("beside") / "environment", "bskernel", package, wheels=wheels)


def call(command: Path | str, folder: Path, cache: Path, *arguments: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "BSKERNEL_ROOT"}
    environment |= {"BSKERNEL_CACHE": str(cache)} | variables
    done = subprocess.run(
        [str(command), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def states(command: Path | str, folder: Path, **variables: str) -> dict[str, dict[str, Any]]:
    """What `images list` says, by executor."""
    listed = json.loads(call(command, folder, folder / "cache", "images", "list", "--json", **variables))
    return {state["name"]: state for state in listed}


def test_installed_executors_have_the_digests_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    checkout = Path(sys.executable).parent / "bskernel"
    there, here = states(installed, tmp_path), states(checkout, tmp_path)
    assert {name: state["digest"] for name, state in there.items()} == {
        name: state["digest"] for name, state in here.items()
    }
    assert "finn-step@finn-plus-1.6.1" in there


@pytest.mark.in_both
def test_installed_wheels_build_a_network_far_from_any_checkout(
    installed: Path, runtime: str, cache: Path, tmp_path: Path
) -> None:
    (cache / "code").unlink()  # executors' code comes from the wheels
    network = shutil.copytree(ROOT / "examples" / "digits", tmp_path / "network")
    arguments = ("run", "network/build.toml", "--to", "step_tidy_up", "--runtime", runtime)
    call(installed, tmp_path, cache, *arguments)
    again = call(installed, tmp_path, cache, *arguments, UV_OFFLINE="1")
    assert "recalled" in again
    assert list((network / "build" / "digits" / "artifacts").iterdir())


def test_the_version_names_the_release_and_the_commit_that_the_wheels_were_built_from(
    installed: Path, tmp_path: Path
) -> None:
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    said = call(installed, tmp_path, tmp_path / "cache", "--version")
    assert said.strip() == f"bskernel 0.1.0 (commit {head[:12]})"


def test_an_executor_of_a_stranger_is_the_same_however_it_is_found(
    installed: Path, beside: Path, package: Path, wheels: Path, tmp_path: Path
) -> None:
    editable = make_environment(tmp_path / "environment", "bskernel", "--editable", package, wheels=wheels)
    found = [states(beside, tmp_path), states(editable, tmp_path)]
    found.append(states(installed, tmp_path, BSKERNEL_RECIPES=str(package)))
    assert [state["net-size@1.0.0"]["origin"] for state in found] == [
        "bskernel-net-size 1.0.0",
        "bskernel-net-size 1.0.0",
        "BSKERNEL_RECIPES",
    ]
    assert len({state["net-size@1.0.0"]["digest"] for state in found}) == 1
    assert len({state["net-size@1.0.0"]["folder"] for state in found}) == 2
    assert "net-size@1.0.0" not in states(installed, tmp_path)


@pytest.fixture
def _no_image_is_left(runtime: str) -> Iterator[None]:
    yield
    if runtime == "docker":
        client = connect()
        client.remove_image("bskernel/net-size:1.0.0", force=True)
        client.close()


@pytest.mark.in_both
@pytest.mark.usefixtures("_no_image_is_left")
def test_an_executor_of_a_stranger_builds_beside_bskernel(
    beside: Path, package: Path, runtime: str, cache: Path, tmp_path: Path
) -> None:
    example = shutil.copytree(package / "example", tmp_path / "example")
    arguments = ("run", "example/build.toml", "--runtime", runtime)
    assert "1 steps ran" in call(beside, tmp_path, cache, *arguments)
    report = example / "build" / "example" / "artifacts" / "report.json"
    assert json.loads(report.read_text()) == {"kib": (example / "words.txt").stat().st_size / 1024}
    assert "1 recalled" in call(beside, tmp_path, cache, *arguments)
    assert call(beside, tmp_path, cache, "steps", "net-size").startswith("measure  [any -> same]")


def test_the_jobs_of_a_new_package_pass_as_ci_runs_them(
    package: Path, wheels: Path, cache: Path, tmp_path: Path
) -> None:
    project = shutil.copytree(package, tmp_path / "project")
    workflow = yaml.safe_load((project / ".github" / "workflows" / "test.yml").read_text())
    (job,) = workflow["jobs"].values()
    environment = {name: value for name, value in os.environ.items() if name not in {"BSKERNEL_ROOT", "VIRTUAL_ENV"}}
    environment |= job["env"] | {"UV_FIND_LINKS": str(wheels), "BSKERNEL_CACHE": str(cache)}
    environment["PATH"] = f"{Path(UV).parent}:{environment['PATH']}"
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["uv run pytest", "uv run bskernel images check net-size"]
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "catalogue current" in done.stdout


def test_a_recipe_in_an_installed_package_is_not_written_to(beside: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [beside, "images", "lock", "net-size"],
        env=os.environ | {"BSKERNEL_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "belongs to an installed package\n  -> name the folder of its source in BSKERNEL_RECIPES" in done.stderr
