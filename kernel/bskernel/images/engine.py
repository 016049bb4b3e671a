"""Connects to the Docker engine. The SDK is imported only if an engine may be running."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bskernel.core.errors import EnvironmentLacking

if TYPE_CHECKING:
    import docker

_DEFAULT_HOST = "unix:///var/run/docker.sock"
_HELLO_S = 10
_HINT = "start one (Debian: docker/engine start), set DOCKER_HOST, or use --runtime process"


def _reason(error: BaseException) -> str:
    """The text of the innermost error; the SDK and its HTTP library wrap it several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)


def connect(answer_s: int = 600) -> docker.APIClient:
    """A client for the engine at DOCKER_HOST or the default socket. Raises EnvironmentLacking when none answers.

    Later requests wait at most `answer_s` seconds for an answer.
    """
    host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    socket = host.removeprefix("unix://")
    if socket != host and not Path(socket).exists():
        raise EnvironmentLacking(f"no Docker engine: no such socket: {socket}", hint=_HINT)
    # Importing the SDK takes longer than a build whose steps are all cached.
    import docker
    from docker.utils import kwargs_from_env

    try:
        # Building an image takes minutes, but an engine that is there says so at once.
        client = docker.APIClient(version="auto", timeout=_HELLO_S, **kwargs_from_env())
        client.ping()
        client.timeout = answer_s
    except (docker.errors.DockerException, OSError) as error:
        raise EnvironmentLacking(f"no Docker engine answers at {host}: {_reason(error)}", hint=_HINT) from error
    return client
