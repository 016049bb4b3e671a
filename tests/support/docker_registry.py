"""A real registry, Debian's docker-registry, on this machine for one test; it lets in only who has logged in."""

import base64
import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.eventually import eventually

COMMAND = "docker-registry"
# The user "group" with the password "secret", as htpasswd -B writes it.
_ACCOUNT = "group:$2b$04$ihjevd2q7E4cAvJrvz3j5OaLkNf6/UP4DsSB7XxhKoROOd8IBYStC\n"


@contextlib.contextmanager
def docker_registry(folder: Path) -> Iterator[tuple[str, Path]]:
    """(host and port, folder of Docker's configuration with the login), with the registry's files in `folder`."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    folder.mkdir()
    (folder / "accounts").write_text(_ACCOUNT)
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "content")}},
        "http": {"addr": address},
        "auth": {"htpasswd": {"realm": "group", "path": str(folder / "accounts")}},
    }
    (folder / "settings.yml").write_text(json.dumps(settings))
    login = base64.b64encode(b"group:secret").decode()
    (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": login}}}))
    with (folder / "log").open("wb") as log:
        command = [COMMAND, "serve", str(folder / "settings.yml")]
        registry = subprocess.Popen(command, stdout=log, stderr=log, env={"OTEL_TRACES_EXPORTER": "none"})
    try:
        eventually(lambda: _answers(address) or registry.poll() is not None)
        yield address, folder
    finally:
        registry.kill()
        registry.wait()


def _answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
