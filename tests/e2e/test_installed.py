"""bskernel as an installed package: no checkout is in reach, and its executors are the checkout's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

pytestmark = pytest.mark.env
MEMBERS = ("protocol", "kernel", "executors", "images")


def uv(*arguments: object) -> None:
    subprocess.run([shutil.which("uv") or Path(sys.executable).parent / "uv", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that holds the wheels of this checkout, and what they depend on."""
    folder = tmp_path_factory.mktemp("installed")
    for member in MEMBERS:
        uv("build", "--quiet", "--wheel", "--out-dir", folder / "wheels", ROOT / member)
    uv("venv", "--quiet", "--python", sys.executable, folder / "environment")
    python = folder / "environment" / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", python, "--find-links", folder / "wheels", "bskernel")
    return python.parent / "bskernel"


def call(command: Path | str, folder: Path, cache: Path, *arguments: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "BSKERNEL_ROOT"}
    environment |= {"BSKERNEL_CACHE": str(cache)} | variables
    done = subprocess.run(
        [str(command), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_installed_executors_have_the_digests_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    checkout = Path(sys.executable).parent / "bskernel"
    there = call(installed, tmp_path, tmp_path / "cache", "images", "list", "--json")
    assert there == call(checkout, tmp_path, tmp_path / "cache", "images", "list", "--json")
    assert "finn-step" in there


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


def test_the_version_names_the_release(installed: Path, tmp_path: Path) -> None:
    assert call(installed, tmp_path, tmp_path / "cache", "--version").startswith("bskernel 0.1.0")
