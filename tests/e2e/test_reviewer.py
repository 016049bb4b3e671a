"""A reviewer verifies the digits from a bundle alone, by the page's own commands, where nothing else is.

That is a container of Debian's Python, bash and tar, without a checkout, a package index or a network.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bskernel.images import find_recipes
from bskernel.images.container_image import ensure_image
from bskernel.images.engine import connect
from support.doc_blocks import blocks_of
from support.paths import ROOT

PAGE = ROOT / "docs" / "reproducibility.md"
UV = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
pytestmark = [pytest.mark.env, pytest.mark.container]


def commands_of_the_reviewer() -> str:
    (block,) = (block for block in blocks_of(PAGE, PAGE.read_text()) if "uv tool install" in block.text)
    return block.text


def run(*command: object, cache: Path | None = None) -> None:
    variables = {"BSKERNEL_CACHE": str(cache)} if cache is not None else {}
    done = subprocess.run(
        [*map(str, command)], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def prepare_release(given: Path, scratch: Path) -> None:
    """Write wheels/ of this checkout and of all that they need, as `make wheels` and `pip download` do."""
    for member in ("protocol", "kernel", "executors", "images"):
        run(UV, "build", "--quiet", "--wheel", "--out-dir", scratch / "dist", ROOT / member)
    run(sys.executable, "-m", "venv", scratch / "pip")
    pip = (scratch / "pip" / "bin" / "python", "-m", "pip")
    run(*pip, "download", "--quiet", "--dest", given / "wheels", "--find-links", scratch / "dist", "bskernel")


def prepare_bundle(given: Path, scratch: Path, cache: Path, executors: tuple[str, ...], *options: str) -> None:
    """Write digits.tar.gz and images.tar as the page says."""
    bskernel = Path(sys.executable).parent / "bskernel"
    digits = shutil.copytree(ROOT / "examples" / "digits", scratch / "digits", ignore=shutil.ignore_patterns("build"))
    command = ("run", digits / "build.toml", "--with-inputs", "--runtime", "process", *options)
    run(bskernel, *command, cache=cache)
    run("tar", "-C", digits / "build", "-czf", given / "digits.tar.gz", "digits")
    run(bskernel, "images", "export", *executors, "-o", given / "images.tar", cache=cache)


def review(given: Path, cache: Path) -> str:
    """Give the page's commands a container with `given` as its folder, and nothing else; returns what they print."""
    recipe = next(recipe for recipe in find_recipes(ROOT) if recipe.name.startswith("metrics@"))
    script = f"export PATH=/root/.local/bin:$PATH\ncp -r /given/. /root && cd /root\n{commands_of_the_reviewer()}"
    client = connect()
    ensure_image(recipe, client, cache, print)
    container = client.create_container(
        recipe.base.reference,
        ["bash", "-euc", script],
        environment={"HOME": "/root"},
        volumes=["/given", "/usr/local/bin/uv"],
        host_config=client.create_host_config(
            binds=[f"{given}:/given:ro", f"{Path(UV).resolve()}:/usr/local/bin/uv:ro"], network_mode="none"
        ),
    )["Id"]
    try:
        client.start(container)
        code = client.wait(container)["StatusCode"]
        said = client.logs(container).decode()
    finally:
        client.remove_container(container, force=True)
        client.close()
    assert code == 0, said
    return str(said)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    prepare_release(folder, tmp_path)
    return folder


def test_the_first_steps_of_the_digits_are_verified_from_a_bundle_alone(
    given: Path, cache: Path, tmp_path: Path
) -> None:
    prepare_bundle(given, tmp_path, cache, ("qonnx-transform",), "--to", "cleanup")
    assert "\nVERIFIED: " in review(given, cache)


@pytest.mark.proof
def test_the_digits_are_verified_from_a_bundle_alone(given: Path, cache: Path, tmp_path: Path) -> None:
    prepare_bundle(given, tmp_path, cache, ("finn-step@finn-plus-1.6.1", "metrics", "qonnx-transform"))
    said = review(given, cache)
    assert "51 outputs of all steps made again, byte for byte, runtime process: /root/digits" in said
