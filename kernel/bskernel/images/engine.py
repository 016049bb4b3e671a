"""Connects to a Docker engine, or to Podman by its socket. The SDK is imported only if an engine may be running."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bskernel.core.errors import EnvironmentLacking

if TYPE_CHECKING:
    import docker

_DOCKER = "/var/run/docker.sock"
_PODMAN = "/run/podman/podman.sock"
_HELLO_S = 10
_FACTS = ("CgroupVersion", "CgroupDriver", "Driver", "SecurityOptions", "KernelVersion", "OperatingSystem")
_HINT = "start one (Debian: docker/engine start), set DOCKER_HOST, or use --runtime process"


def facts_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """Version and settings of an engine, from what it answers about itself."""
    return {"version": info.get("ServerVersion"), **{key: info.get(key) for key in _FACTS}}


def _reason(error: BaseException) -> str:
    """The text of the innermost error; the SDK and its HTTP library wrap it several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)


def hosts(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Where an engine may answer: at DOCKER_HOST alone if it is set, or at the sockets of Docker and Podman.

    The machine's come before those of this user's rootless engines.
    """
    if variables.get("DOCKER_HOST"):
        return (variables["DOCKER_HOST"],)
    sockets = [_DOCKER]
    if variables.get("XDG_RUNTIME_DIR"):
        own = variables["XDG_RUNTIME_DIR"]
        sockets += [f"{own}/docker.sock", f"{own}/podman/podman.sock"]
    return tuple(f"unix://{socket}" for socket in (*sockets, _PODMAN))


def connect(answer_s: int = 600) -> docker.APIClient:
    """A client for the first engine that answers. Raises EnvironmentLacking when none does.

    Later requests wait at most `answer_s` seconds for an answer.
    """
    places = hosts(os.environ)
    candidates = [host for host in places if not host.startswith("unix://") or Path(host[7:]).exists()]
    if not candidates:
        raise EnvironmentLacking(f"no Docker engine: no such socket: {places[0].removeprefix('unix://')}", hint=_HINT)
    problems = []
    for host in candidates:
        try:
            return _connect(host, answer_s)
        except EnvironmentLacking as error:
            problems.append(error)
    raise problems[0]


def _connect(host: str, answer_s: int) -> docker.APIClient:
    # Importing the SDK takes longer than a build whose steps are all cached.
    import docker
    from docker.utils import kwargs_from_env

    try:
        # Building an image takes minutes, but an engine that is there says so at once.
        settings = {"base_url": host} | kwargs_from_env()
        client = docker.APIClient(version="auto", timeout=_HELLO_S, **settings)
        client.timeout = answer_s
    except (docker.errors.DockerException, OSError) as error:
        raise EnvironmentLacking(f"no Docker engine answers at {host}: {_reason(error)}", hint=_HINT) from error
    return client
