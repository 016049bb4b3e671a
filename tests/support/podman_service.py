"""Podman's service for one test, with images and containers of its own."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.eventually import eventually


@contextlib.contextmanager
def podman_service() -> Iterator[dict[str, str]]:
    """The variables with which bskernel uses the service."""
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
            yield {"DOCKER_HOST": socket, "BSKERNEL_RUNTIME": "docker"}
        finally:
            service.terminate()
    subprocess.run([*podman, "rmi", "--all", "--force"], env=environment, cwd=own, check=True, capture_output=True)
    shutil.rmtree(own)
