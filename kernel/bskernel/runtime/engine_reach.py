"""Does the engine see this machine's files? Not if bskernel runs in a container with the engine's socket mounted.

The answer is kept in the cache, by engine and path; a cache that is mounted elsewhere has another path.
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.probe_image import PROGRAM, ensure_probe

if TYPE_CHECKING:
    import docker


def require_reach(client: docker.APIClient, info: dict[str, Any], cache: Path) -> None:
    """Raise EnvironmentLacking unless containers can mount folders of the cache. Starts no container."""
    known = cache / "engines" / hashlib.sha256(f"{info.get('ID')} {cache}".encode()).hexdigest()
    if known.exists():
        return
    # Nobody else has a folder of this name.
    probe = cache / "engines" / uuid.uuid4().hex
    probe.mkdir(parents=True)
    try:
        seen = _can_mount(client, probe)
    finally:
        probe.rmdir()
    if not seen:
        raise EnvironmentLacking(
            f"the Docker engine does not see the files of this machine: it has no {cache}",
            hint="if bskernel runs in a container that has the engine's socket, mount a folder of the engine's "
            "machine there at the same path (e.g. -v /srv/bskernel:/srv/bskernel) and set BSKERNEL_CACHE, or use "
            "--runtime process",
        )
    known.touch()


def _can_mount(client: docker.APIClient, folder: Path) -> bool:
    """An engine looks for what a container mounts when it creates the container."""
    import docker

    mount = docker.types.Mount("/mounted", str(folder), type="bind", read_only=True)
    settings = client.create_host_config(mounts=[mount], network_mode="none")
    try:
        container = client.create_container(ensure_probe(client), [PROGRAM], host_config=settings)["Id"]
    except docker.errors.APIError as error:
        if str(folder) in str(error.explanation) or "no such file" in str(error.explanation):
            return False
        raise EnvironmentLacking(f"the Docker engine cannot make a container: {error.explanation}") from error
    client.remove_container(container, force=True)
    return True
