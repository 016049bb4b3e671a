"""Builds with Podman in place of Docker, by its service; as root or, started by another user, rootless."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, write
from support.podman_service import podman_service

pytestmark = pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
BUILD = '[build]\nname = "sum"\nmodel = "number.txt"\n[[step]]\nentry = "testing:look"\n'


@pytest.fixture
def surroundings(surroundings: dict[str, str]) -> Iterator[dict[str, str]]:
    """A service with images and containers of its own."""
    with podman_service() as variables:
        yield surroundings | variables


def test_a_build_runs_in_podman_s_containers_as_locked_down_as_in_docker_s(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, BUILD))
    assert done.returncode == 0, done.stderr + done.stdout
    result = result_of(tmp_path / "build" / "sum")
    assert result["runtime"] == "docker"
    seen = result["steps"][0]["record"]
    assert (seen["writable"], seen["interfaces"], seen["no_new_privileges"]) == (["work"], ["lo"], "1")
    assert int(seen["capabilities"], 16) == 0
