"""The container runtime: runs an executor as a locked-down container of its own image."""

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

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import SessionFailed
from bskernel.core.step import ExecutorRef
from bskernel.host.process import signs_below
from bskernel.images.container_image import BuiltImage
from bskernel.images.engine import connect, facts_of
from bskernel.images.recipe_image import PYTHON
from bskernel.runtime.session_dirs import SessionFolders
from bskernel.runtime.tool_mounts import NOTHING, ToolMounts, tool_mounts_for
from bskernel.runtime.visible_stream import VisibleStream
from bskernel.runtime.watch import HEARTBEAT_S, VitalSigns

if TYPE_CHECKING:
    import docker

SESSION_LABEL = "bskernel.session"
STEPS = "/bskernel/steps"
INPUTS = "/bskernel/inputs"
_STDOUT, _STDERR = 1, 2
# The server's own folder. Executors take its path out of what they write, so it must be one that no model contains.
HOME = "/bskernel/home"
_VARIABLES = {"HOME": HOME, "TMPDIR": HOME, "USER": "bskernel", "LOGNAME": "bskernel"}
_SCRATCH = "rw,nosuid,nodev,mode=1777"
_LAST_LINES = 12
_PIDS = 4096
_GONE_S = 10.0
_MADE_S = 30.0  # a busy engine makes a container in seconds, also for a process that has died since
_ANNOUNCED = "container-asked-for"
_PROBE_S = 5


def host_settings(
    *, mounts: list[dict[str, Any]], memory_bytes: int, cpus: int, keep: bool = False, network: str = "none"
) -> dict[str, Any]:
    """A container's settings: no network, nothing writable but mounts, HOME, /tmp, no privileges, limited resources.

    It gets a `network` only if a tool must reach a licence server.
    """
    return {
        "auto_remove": not keep,
        "cap_drop": ["ALL"],
        "init": False,
        "ipc_mode": "private",
        "log_config": {"type": "none"},  # otherwise the engine writes all protocol messages to disk
        "mem_limit": memory_bytes,
        "memswap_limit": memory_bytes,
        "mounts": mounts,
        "nano_cpus": cpus * 1_000_000_000,
        "network_mode": network,
        "pids_limit": _PIDS,
        "read_only": True,
        "security_opt": ["no-new-privileges"],
        "tmpfs": {HOME: _SCRATCH, "/tmp": _SCRATCH},  # noqa: S108 - the container's own
    }


def mount(path: Path, inside: str, *, read_only: bool) -> dict[str, Any]:
    """A folder or file of the host in a container. Unlike a bind written as text, its path may contain colons."""
    return {"Type": "bind", "Source": str(path), "Target": inside, "ReadOnly": read_only}


def user_of(info: dict[str, Any]) -> str:
    """UID:GID to run a container as: this user's, or 0:0 in a rootless engine, where root is this user."""
    # Docker says it among its security options, Podman in a field of its own.
    rootless = info.get("Rootless") or any("rootless" in option for option in info.get("SecurityOptions") or ())
    return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"


class _Output:
    """The container's stdout, split from the engine's combined stream. Keeps the last lines of its stderr."""

    def __init__(self, frames: Iterator[tuple[int, bytes]], stderr: collections.deque[str]) -> None:
        self._frames = frames
        self._stderr = stderr
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
                self._stderr.extend(line for line in data.decode("utf-8", "replace").splitlines() if line.strip())
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Input:
    """The container's stdin."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes, /) -> None:
        self._connection.sendall(data)

    def flush(self) -> None:
        return


class ContainerTransport:
    """A container and its attached stream."""

    seals_inputs = True  # inputs are mounted read-only

    def __init__(self, client: docker.APIClient, container: str, stream: Any) -> None:
        from docker.utils.socket import frames_iter

        self._client = client
        self._container = container
        self._stream = stream
        self._connection: socket.socket = getattr(stream, "_sock", stream)
        self._stderr: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self.frames: Iterator[tuple[int, bytes]] = frames_iter(stream, tty=False)
        self.source: ByteSource = _Output(self.frames, self._stderr)
        self.sink: ByteSink = _Input(self._connection)
        self._started = int(time.time())
        self._limit: int | None = None
        self._probe: docker.APIClient | None = None  # its answers do not wait for those of other requests

    def limit_memory(self, mebibytes: int | None) -> None:
        """Limit the container's memory, in MiB. If the engine cannot lower it now, the old limit stays."""
        import docker

        if mebibytes == self._limit:
            return
        size = (mebibytes << 20) if mebibytes is not None else int(self._client.info()["MemTotal"])
        with contextlib.suppress(docker.errors.APIError):
            self._client.update_container(self._container, mem_limit=size, memswap_limit=size)
            self._limit = mebibytes

    def vital_signs(self) -> VitalSigns:
        """The container's state according to the engine, and its server's where the engine is on this machine."""
        if self._probe is None:
            self._probe = connect(answer_s=_PROBE_S)
        import docker

        try:
            state = self._probe.inspect_container(self._container)["State"]
        except docker.errors.NotFound:
            return VitalSigns(state="gone", what="its container")
        if state.get("Paused"):
            return VitalSigns(state="stopped", what="its container")
        if not state.get("Running", True):
            return VitalSigns(state="gone", what="its container")
        pid = int(state.get("Pid") or 0)
        if not _is_inside(pid, self._container):
            return VitalSigns(state="running", what="its container")
        server, signs = signs_below(pid)
        return VitalSigns(state=signs.state, used=signs.ticks, what=f"process {server} of its container")

    def end_facts(self) -> dict[str, Any]:
        """`oom_kills` if the container ran out of memory; the engine knows even after removing it."""
        import docker

        filters = {"container": self._container, "event": "oom"}
        try:
            events = self._client.events(
                since=self._started, until=int(time.time()) + 1, filters=filters, decode=True
            )
            return {"oom_kills": 1} if next(iter(events), None) is not None else {}
        except (docker.errors.APIError, OSError):
            return {}

    def end(self) -> None:
        """Remove the container, even if it is running."""
        remove_container(self._client, self._container)
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the stream. Nobody may be reading it."""
        with contextlib.suppress(OSError):
            self._connection.close()
            self._stream.close()

    def last_words(self) -> tuple[str, ...]:
        """The last lines of the server's stderr."""
        return tuple(self._stderr)


def _is_inside(pid: int, container: str) -> bool:
    """Whether a process of this machine belongs to the container: the engine may number its processes otherwise."""
    try:
        return container in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def end_containers_of(client: docker.APIClient, folders: SessionFolders) -> None:
    """Remove a session's containers, whatever their state.

    If the session's process died while the engine made one, that may appear only now: it is waited for.
    """
    deadline = time.monotonic() + _MADE_S
    while True:
        found = client.containers(all=True, filters={"label": f"{SESSION_LABEL}={folders.id}"})
        for container in found:
            remove_container(client, container["Id"])
        if found or not (folders.path / _ANNOUNCED).exists() or time.monotonic() > deadline:
            return
        time.sleep(0.1)


@contextlib.contextmanager
def _announced(folders: SessionFolders) -> Iterator[None]:
    """Note in a session's folder that the engine is asked for a container, until it has answered."""
    note = folders.path / _ANNOUNCED
    note.touch()
    yield
    note.unlink(missing_ok=True)


def remove_container(client: docker.APIClient, container: str) -> None:
    """Kill and remove a container, and wait until it is gone."""
    import docker

    deadline = time.monotonic() + _GONE_S
    while time.monotonic() < deadline:
        try:
            client.remove_container(container, force=True, v=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError:
            # "removal is already in progress": auto_remove has started it
            time.sleep(0.02)


class ContainerStarter:
    """Starts executors as containers."""

    name = "docker"
    limits_sessions = True

    def __init__(
        self,
        client: docker.APIClient,
        info: dict[str, Any],
        image_of: Callable[[ExecutorRef], BuiltImage],
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._image_of = image_of
        self._report = report
        self.engine_facts = facts_of(info)
        self._info = info

    def prepare(self, executor: ExecutorRef) -> None:
        """Build the image unless it exists and matches the recipe."""
        self._image_of(executor)

    def end_orphans(self, folders: SessionFolders) -> None:
        """Remove the session's containers, whatever their state."""
        end_containers_of(self._client, folders)

    def create(
        self,
        image: BuiltImage,
        command: list[str],
        binds: dict[Path, tuple[str, str]],
        labels: dict[str, str],
        *,
        keep: bool = False,
        tools: ToolMounts = NOTHING,
    ) -> str:
        """Create a container without starting it; returns its identifier.

        `binds` maps host folders to (path inside, "rw" or "ro"). With `keep` the container stays after its process
        has ended, so that its exit code can be read.
        """
        binds = binds | {path: (str(path), "ro") for path in tools.folders}
        settings = host_settings(
            mounts=[mount(path, inside, read_only=mode == "ro") for path, (inside, mode) in binds.items()],
            memory_bytes=int(self._info["MemTotal"]),
            cpus=int(self._info["NCPU"]),
            keep=keep,
            network=tools.network,
        )
        container: str = self._client.create_container(
            image.id,
            command,
            user=user_of(self._info),
            environment=_VARIABLES | tools.variables | {"BSKERNEL_SESSION": labels[SESSION_LABEL]},
            labels=labels,
            stdin_open=True,
            working_dir=HOME,
            host_config=self._client.create_host_config(**settings),
        )["Id"]
        return container

    def attach(self, container: str) -> ContainerTransport:
        """Attach to a container's streams. Call this before starting it, so that no output is lost."""
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        return ContainerTransport(self._client, container, self._client.attach_socket(container, params=streams))

    def run_by_hand(
        self, executor: ExecutorRef, directory: Path, folders: SessionFolders, report: Callable[[str], None]
    ) -> int:
        """Run one step in its own container, in the foreground; reports an equivalent `docker run` command."""
        image = self._image_of(executor)
        inside = f"{STEPS}/{directory.name}"
        command = [PYTHON, "-P", "-m", "bskernel_executors.sdk", "run", inside]
        tools = tool_mounts_for(executor.tools, os.environ)
        user = user_of(self._info)
        docker_run = [
            "docker",
            "run",
            "--rm",
            "-it",
            f"--network={tools.network}",
            f"--user={user}",
            *tools.options(),
        ]
        report(shlex.join([*docker_run, f"--volume={directory}:{inside}", image.name, *command]))
        labels = {SESSION_LABEL: folders.id}
        with _announced(folders):
            container = self.create(image, command, {directory: (inside, "rw")}, labels, keep=True, tools=tools)
        transport = self.attach(container)
        self._client.start(container)
        shown = {stream: VisibleStream(target) for stream, target in ((_STDOUT, sys.stdout), (_STDERR, sys.stderr))}
        for stream, data in transport.frames:
            shown[stream if stream == _STDOUT else _STDERR].write(data)
        transport.close()
        code: int = self._client.wait(container)["StatusCode"]
        return code

    def start(self, executor: ExecutorRef, folders: SessionFolders) -> ContainerTransport:
        """Start the executor's server in a container."""
        import docker

        image = self._image_of(executor)
        serve = ["serve", "--root", STEPS, "--heartbeat-s", f"{HEARTBEAT_S:g}", "--supervised-for", "0"]
        command = [PYTHON, "-P", "-m", "bskernel_executors.sdk", *serve]
        binds = {folders.steps: (STEPS, "rw"), folders.inputs: (INPUTS, "ro")}
        tools = tool_mounts_for(executor.tools, os.environ)
        if tools.network != "none":
            self._report(f"network: {executor} has access to it because its tool needs a licence server")
        try:
            with _announced(folders):
                container = self.create(image, command, binds, {SESSION_LABEL: folders.id}, tools=tools)
            try:
                transport = self.attach(container)
                self._client.start(container)
            except BaseException:
                remove_container(self._client, container)
                raise
        except docker.errors.APIError as error:
            failure = Failure(
                category="environment",
                message=f"{executor}: the engine cannot start its container: {error.explanation}",
                hint="--runtime process runs without an engine",
            )
            raise SessionFailed(failure) from error
        except OSError as error:
            raise EnvironmentLacking(f"the Docker engine is gone: {error}") from error
        return transport
