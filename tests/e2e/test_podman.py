"""Builds with Podman in place of Docker, by its service: as root, and rootless by a user without any rights."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, write
from support.paths import BSKERNEL
from support.podman import Podman, reason_against, served

BUILD = '[build]\nname = "sum"\nmodel = "number.txt"\n[[step]]\nentry = "testing:look"\n'


@pytest.fixture(params=["root", "rootless"])
def podman(request: pytest.FixtureRequest) -> Iterator[Podman]:
    rootless = request.param == "rootless"
    if reason := reason_against(rootless=rootless):
        pytest.skip(reason)
    with served(rootless=rootless) as service:
        yield service


def test_a_build_runs_in_podman_s_containers_as_locked_down_as_in_docker_s(
    podman: Podman, root: Path, environments: Path, cli: Any, tmp_path: Path
) -> None:
    project, cache = podman.own / "project", podman.own / "home" / "cache"
    config = write(project, BUILD)
    cache.mkdir(parents=True)
    for name in ("envs", "code"):
        (cache / name).symlink_to(environments / name)
    for path in (*project.iterdir(), cache):
        os.chown(path, podman.user, podman.user)
    done = subprocess.run(
        podman.command([BSKERNEL, "run", config]),
        env=os.environ
        | {
            "HOME": str(podman.own / "home"),
            "BSKERNEL_ROOT": str(root),
            "BSKERNEL_CACHE": str(cache),
            "BSKERNEL_RUNTIME": "docker",
            "DOCKER_HOST": podman.socket,
        },
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    result = result_of(project / "build" / "sum")
    assert result["runtime"] == "docker"
    assert (project / "build" / "sum" / "result.json").stat().st_uid == podman.user
    seen = result["steps"][0]["record"]
    assert (seen["writable"], seen["interfaces"], seen["no_new_privileges"]) == (["work"], ["lo"], "1")
    assert int(seen["capabilities"], 16) == 0
    assert list((cache / "sessions").iterdir()) == []
    # A key and an output mean the same in every runtime, whoever runs the engine.
    other = cli("run", write(tmp_path, BUILD), "--runtime", "process")
    assert other.returncode == 0, other.stderr
    (there,), (here,) = result["steps"], result_of(tmp_path / "build" / "sum")["steps"]
    assert (there["key"], there["outputs"]) == (here["key"], here["outputs"])
