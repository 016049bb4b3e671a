"""The container runtime: an executor as a locked-down container of its own image."""

from __future__ import annotations

import collections
import contextlib
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bskernel_protocol import Failure
from bskernel_protocol.frames import ByteSink, ByteSource

from bskernel.errors import EnvironmentLacking
from bskernel.images.container_image import PYTHON, BuiltImage
from bskernel.ports import SessionFailed
from bskernel.runtime.folders import SessionFolders
from bskernel.runtime.given import NOTHING, Given, given_for
from bskernel.step import ExecutorRef

if TYPE_CHECKING:
    import docker

SESSION_LABEL = "bskernel.session"
STEPS = "/bskernel/steps"
INPUTS = "/bskernel/inputs"
_STDOUT = 1
_HOME = {"HOME": "/tmp", "TMPDIR": "/tmp", "USER": "bskernel", "LOGNAME": "bskernel"}  # noqa: S108 - its own
_LAST_LINES = 12
_PIDS = 4096
_GONE_S = 10.0


def host_settings(
    *, binds: dict[str, dict[str, str]], memory_bytes: int, cpus: int, keep: bool = False, network: str = "none"
) -> dict[str, Any]:
    """What a container may do: no network, nothing writable but its mounts and /tmp, no privilege, bounded.

    A `network` is given only where a tool must ask a licence server.
    """
    return {
        "auto_remove": not keep,
        "binds": binds,
        "cap_drop": ["ALL"],
        "init": False,
        "ipc_mode": "private",
        "log_config": {"type": "none"},  # else the engine writes to the disk whatever the session says
        "mem_limit": memory_bytes,
        "memswap_limit": memory_bytes,
        "nano_cpus": cpus * 1_000_000_000,
        "network_mode": network,
        "pids_limit": _PIDS,
        "read_only": True,
        "security_opt": ["no-new-privileges"],
        "tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777"},  # noqa: S108 - the container's own
    }


def user_of(info: dict[str, Any]) -> str:
    """UID:GID that owns what a container writes: ours; in a rootless engine, its root is us."""
    rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
    return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"


class _Output:
    """The container's standard output, taken from the engine's one stream; what else it prints is remembered."""

    def __init__(self, frames: Iterator[tuple[int, bytes]], words: collections.deque[str]) -> None:
        self._frames = frames
        self._words = words
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        while not self._rest:
            frame = next(self._frames, None)
            if frame is None:
                return b""
            stream, data = frame
            if stream == _STDOUT:
                self._rest = data
            else:
                self._words.extend(line for line in data.decode("utf-8", "replace").splitlines() if line.strip())
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Input:
    """The container's standard input."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes, /) -> None:
        self._connection.sendall(data)

    def flush(self) -> None:
        return


class ContainerCarrier:
    """A container and the stream that is attached to it."""

    seals_inputs = True  # they are mounted read-only

    def __init__(self, client: docker.APIClient, container: str, stream: Any) -> None:
        from docker.utils.socket import frames_iter

        self._client = client
        self._container = container
        self._stream = stream
        self._connection: socket.socket = getattr(stream, "_sock", stream)
        self._words: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self.frames: Iterator[tuple[int, bytes]] = frames_iter(stream, tty=False)
        self.source: ByteSource = _Output(self.frames, self._words)
        self.sink: ByteSink = _Input(self._connection)
        self._began = int(time.time())
        self._limit: int | None = None

    def limit_memory(self, mebibytes: int | None) -> None:
        """What the container may hold in all; an engine that cannot lower it now leaves it as it is."""
        import docker

        if mebibytes == self._limit:
            return
        size = (mebibytes << 20) if mebibytes is not None else int(self._client.info()["MemTotal"])
        with contextlib.suppress(docker.errors.APIError):
            self._client.update_container(self._container, mem_limit=size, memswap_limit=size)
            self._limit = mebibytes

    def end_facts(self) -> dict[str, Any]:
        """Did the container end for lack of memory? The engine remembers, also when it has removed it."""
        import docker

        filters = {"container": self._container, "event": "oom"}
        try:
            found = self._client.events(since=self._began, until=int(time.time()) + 1, filters=filters, decode=True)
            return {"oom_kills": 1} if next(iter(found), None) is not None else {}
        except (docker.errors.APIError, OSError):
            return {}

    def end(self) -> None:
        """Remove the container, whatever it does."""
        remove_container(self._client, self._container)
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the stream, once nobody reads it."""
        with contextlib.suppress(OSError):
            self._connection.close()
            self._stream.close()

    def last_words(self) -> tuple[str, ...]:
        """The end of the server's own error output."""
        return tuple(self._words)


def remove_container(client: docker.APIClient, container: str) -> None:
    """Kill and remove it, and wait until the engine knows it no more."""
    import docker

    deadline = time.monotonic() + _GONE_S
    while time.monotonic() < deadline:
        try:
            client.remove_container(container, force=True, v=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError:
            # "removal is already in progress": it removes itself when its process ends
            time.sleep(0.02)


class ContainerStarter:
    """Starts executors as containers."""

    name = "docker"
    limits_sessions = True

    def __init__(
        self,
        client: docker.APIClient,
        image_of: Callable[[ExecutorRef], BuiltImage],
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._image_of = image_of
        self._report = report
        self._info: dict[str, Any] = client.info()

    def prepare(self, executor: ExecutorRef) -> None:
        """Build the image if it is not there, or is not of this recipe."""
        self._image_of(executor)

    def end_left(self, session_id: str) -> None:
        """Remove the session's containers, in whatever state they are."""
        labels = {"label": f"{SESSION_LABEL}={session_id}"}
        for found in self._client.containers(all=True, filters=labels):
            remove_container(self._client, found["Id"])

    def create(
        self,
        image: BuiltImage,
        command: list[str],
        binds: dict[Path, tuple[str, str]],
        labels: dict[str, str],
        *,
        keep: bool = False,
        given: Given = NOTHING,
    ) -> str:
        """A container that is not started yet: `binds` maps host folders to (path inside, "rw" or "ro").

        With `keep` it stays when its process has ended, so that its exit code can be asked for.
        """
        binds = binds | {path: (str(path), "ro") for path in given.folders}
        settings = host_settings(
            binds={str(path): {"bind": bind, "mode": mode} for path, (bind, mode) in binds.items()},
            memory_bytes=int(self._info["MemTotal"]),
            cpus=int(self._info["NCPU"]),
            keep=keep,
            network=given.network,
        )
        container: str = self._client.create_container(
            image.id,
            command,
            user=user_of(self._info),
            environment=_HOME | given.variables | {"BSKERNEL_SESSION": labels[SESSION_LABEL]},
            labels=labels,
            stdin_open=True,
            working_dir="/tmp",  # noqa: S108 - the container's own
            host_config=self._client.create_host_config(**settings),
        )["Id"]
        return container

    def attach(self, container: str) -> ContainerCarrier:
        """Its streams; before it is started, so that nothing it says is lost."""
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        return ContainerCarrier(self._client, container, self._client.attach_socket(container, params=streams))

    def run_by_hand(
        self, executor: ExecutorRef, directory: Path, folders: SessionFolders, report: Callable[[str], None]
    ) -> int:
        """As a container of its own; a like command is told, so that it can be given again."""
        image = self._image_of(executor)
        inside = f"{STEPS}/{directory.name}"
        command = [PYTHON, "-P", "-m", "bskernel_executors.sdk", "run", inside]
        given = given_for(executor.tools, os.environ)
        by_hand = ["docker", "run", "--rm", "-it", f"--network={given.network}", f"--user={user_of(self._info)}"]
        by_hand += given.options()
        report(shlex.join([*by_hand, f"--volume={directory}:{inside}", image.name, *command]))
        labels = {SESSION_LABEL: folders.id}
        container = self.create(image, command, {directory: (inside, "rw")}, labels, keep=True, given=given)
        carrier = self.attach(container)
        self._client.start(container)
        for stream, data in carrier.frames:
            target = sys.stdout if stream == _STDOUT else sys.stderr
            target.write(data.decode("utf-8", "replace"))
            target.flush()
        carrier.close()
        code: int = self._client.wait(container)["StatusCode"]
        return code

    def start(self, executor: ExecutorRef, folders: SessionFolders) -> ContainerCarrier:
        """Start the server."""
        import docker

        image = self._image_of(executor)
        command = [PYTHON, "-P", "-m", "bskernel_executors.sdk", "serve", "--root", STEPS]
        binds = {folders.steps: (STEPS, "rw"), folders.inputs: (INPUTS, "ro")}
        given = given_for(executor.tools, os.environ)
        if given.network != "none":
            self._report(f"network: {executor} may use it, as a licence server must be asked")
        try:
            container = self.create(image, command, binds, {SESSION_LABEL: folders.id}, given=given)
            try:
                carrier = self.attach(container)
                self._client.start(container)
            except BaseException:
                remove_container(self._client, container)
                raise
        except docker.errors.APIError as error:
            failure = Failure(
                category="environment",
                message=f"{executor}: the engine cannot start its container: {error.explanation}",
                hint="--runtime process needs no engine",
            )
            raise SessionFailed(failure) from error
        except OSError as error:
            raise EnvironmentLacking(f"the Docker engine is gone: {error}") from error
        return carrier
