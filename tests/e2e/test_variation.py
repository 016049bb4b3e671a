"""Examples and networks of Brevitas, built again in other surroundings and in the other runtime: no byte differs."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bskernel.verification.variation import VARIED
from support.brevitas_exports import export_networks
from support.paths import BSKERNEL, ROOT

EXAMPLES = ROOT / "examples"
SMALL = '[target]\npart = "xczu7ev-ffvc1156-2-e"\ntarget_fps = 1_000\n'
# A simulator is compiled by the machine's own compiler in the process runtime (docs/reproducibility.md).
COMPILED = {"simulator", "simulator_library"}
WHOLE = [
    *("digits/build.toml", "digits/analysed.toml", "digits/rtl.toml", "digits/open.toml", "digits/ecp5.toml"),
    *("digits-conv/build.toml", "resnet-small/build.toml", "cnv/build.toml"),
]
pytestmark = [pytest.mark.env, pytest.mark.timeout(3600)]


def bskernel(cache: Path, *arguments: object) -> Any:
    """Run a command that prints JSON; it may find differences."""
    variables: Mapping[str, str] = {**os.environ, "BSKERNEL_CACHE": str(cache), "BSKERNEL_TRUST": "1"}
    command = [BSKERNEL, *map(str, arguments), "--json"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 9}, done.stdout + done.stderr
    return json.loads(done.stdout)


def differing(cache: Path, config: Path, runtime: str, *settings: str) -> tuple[set[str], int]:
    """Outputs that differ between a build and one of the same lock in wholly other surroundings, and how many exist.

    The first is built by processes, the second in `runtime`.
    """
    build = config.parent / "published"
    if not build.exists():
        options = [part for setting in settings for part in ("--set", setting)]
        done = bskernel(cache, "run", config, "--runtime", "process", "--output", build, *options)
        assert done["status"] == "ok", done["failure"]
    varied = ",".join(name for name in VARIED if runtime == "process" or name != "user")
    found = bskernel(
        cache, "verify", build, "--runtime", runtime, "--vary", varied, "--into", config.parent / runtime
    )
    (second,) = found["second_builds"]
    assert second["runtime"] == runtime
    assert not [step for step in second["differing"] if step["failed"]], second["differing"]
    names = {output for step in second["differing"] for output in step["outputs"]}
    print(f"{config.stem}, {runtime}: {len(names)} of {second['outputs']} outputs differ {sorted(names)}")
    return names - (COMPILED if runtime == "docker" else set()), second["outputs"]


def example(name: str, folder: Path) -> Path:
    """A copy of an example's folder; returns the file of that name in it."""
    source = EXAMPLES / name
    copied = shutil.copytree(source.parent, folder / "example", ignore=shutil.ignore_patterns("build"))
    return copied / source.name


@pytest.mark.in_both
def test_the_digits_are_the_same_in_other_surroundings(cache: Path, tmp_path: Path, runtime: str) -> None:
    names, count = differing(cache, example("digits/build.toml", tmp_path), runtime)
    assert count > 50
    assert names == set()


@pytest.mark.proof
@pytest.mark.in_both
@pytest.mark.parametrize("name", WHOLE)
def test_every_example_is_the_same_in_other_surroundings(
    cache: Path, tmp_path: Path, runtime: str, name: str
) -> None:
    assert differing(cache, example(name, tmp_path), runtime)[0] == set()


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_networks(tmp_path_factory.mktemp("exported"), "tfc_2w2a", "cnv_2w2a", "keywords")


@pytest.mark.proof
@pytest.mark.brevitas
@pytest.mark.in_both
@pytest.mark.parametrize("name", ["tfc_2w2a", "cnv_2w2a", "keywords"])
def test_a_network_of_brevitas_is_the_same_in_other_surroundings(
    cache: Path, tmp_path: Path, exports: Path, runtime: str, name: str
) -> None:
    for suffix in (".onnx", ".npz"):
        shutil.copy(exports / f"{name}{suffix}", tmp_path)
    config = tmp_path / "build.toml"
    config.write_text(f'build.model = "{name}.onnx"\nquality.samples = "{name}.npz"\nquality.frames = 20\n{SMALL}')
    assert differing(cache, config, runtime)[0] == set()
