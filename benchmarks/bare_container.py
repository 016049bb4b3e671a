"""The least that a builder does with Docker's SDK for one container: `bare_container.py IMAGE`.

It starts Python in a container without a network, waits until that has imported what no executor can do without, and
removes it.
"""

import sys

import docker
import msgspec  # noqa: F401 - a builder cannot do without it either
from docker.types import LogConfig
from docker.utils import kwargs_from_env
from docker.utils.socket import frames_iter

_SERVER = "import msgspec, sys; print('ready', flush=True); sys.stdin.read()"


def main(image: str) -> None:
    """Start it, read its first line, and remove it."""
    client = docker.APIClient(version="auto", timeout=10, **kwargs_from_env())
    settings = client.create_host_config(network_mode="none", log_config=LogConfig(type="none"))
    container = client.create_container(image, ["python", "-c", _SERVER], stdin_open=True, host_config=settings)["Id"]
    streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    try:
        stream = client.attach_socket(container, params=streams)
        client.start(container)
        _, said = next(iter(frames_iter(stream, tty=False)))  # type: ignore[no-untyped-call]
        if said != b"ready\n":
            raise RuntimeError(said.decode())
    finally:
        client.remove_container(container, force=True)


if __name__ == "__main__":
    main(sys.argv[1])
