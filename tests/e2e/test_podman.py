"""Builds with Podman in place of Docker, by its service; as root or, started by another user, rootless."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, write
from support.eventually import eventually

pytestmark = pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
BUILD = '[build]\nname = "sum"\nmodel = "number.txt"\n[[step]]\nentry = "testing:look"\n'


@pytest.fixture
def surroundings(surroundings: dict[str, str]) -> Iterator[dict[str, str]]:
    """A service with images and containers of its own."""
    own = Path(tempfile.mkdtemp())  # a short path: Podman takes no other
    # Podman raises limits by itself, which not every machine allows.
    limits = '["nofile=4096:4096", "nproc=4096:4096"]'
    (own / "containers.conf").write_text(f"[containers]\ndefault_ulimits = {limits}\n")
    socket = f"unix://{own}/podman.sock"
    places = ["--root", str(own / "images"), "--runroot", str(own / "run"), "--storage-driver", "vfs"]
    podman = ["podman", *places, "--cgroup-manager", "cgroupfs"]
    environment = os.environ | {"CONTAINERS_CONF": str(own / "containers.conf"), "XDG_RUNTIME_DIR": str(own)}
    with subprocess.Popen([*podman, "system", "service", "--time", "0", socket], env=environment, cwd=own) as service:
        try:
            eventually(lambda: (own / "podman.sock").exists() or service.poll() is not None)
            yield surroundings | {"DOCKER_HOST": socket, "BSKERNEL_RUNTIME": "docker"}
        finally:
            service.terminate()
    subprocess.run([*podman, "rmi", "--all", "--force"], env=environment, cwd=own, check=True, capture_output=True)
    shutil.rmtree(own)


def test_a_build_runs_in_podman_s_containers_as_locked_down_as_in_docker_s(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, BUILD))
    assert done.returncode == 0, done.stderr + done.stdout
    result = result_of(tmp_path / "build" / "sum")
    assert result["runtime"] == "docker"
    seen = result["steps"][0]["record"]
    assert (seen["writable"], seen["interfaces"], seen["no_new_privileges"]) == (["work"], ["lo"], "1")
    assert int(seen["capabilities"], 16) == 0
