"""A Dask scheduler and workers in processes of their own: each worker with a cache of its own, like a machine."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from support.eventually import eventually

BIN = Path(sys.executable).parent


class Cluster:
    """Started with its scheduler; workers come, are killed and come back as a test wants."""

    def __init__(self, folder: Path, environments: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self._environments = environments
        self.variables = dict(variables)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler()

    def scheduler(self) -> None:
        self.start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", self.port, "--no-dashboard")

    def cache(self, name: str) -> Path:
        return self.folder / name

    def worker(self, name: str, *arguments: str) -> None:
        cache = self.cache(name)
        if not cache.exists():
            cache.mkdir()
            for shared in ("envs", "code"):
                (cache / shared).symlink_to(self._environments / shared)
        arguments = ("--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard", *arguments)
        self.start(name, "worker", self.address, "--local-directory", str(cache / "dask"), *arguments)

    def have(self, *names: str) -> None:
        """Start these workers unless they run."""
        for name in names:
            if name not in self.processes:
                self.worker(name)

    def start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(BIN / "dask"), *arguments],
                env=self.variables | {"BSKERNEL_CACHE": str(self.cache(name))},
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def end(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        process.wait(60)

    def end_if_there(self, name: str) -> None:
        if name in self.processes:
            self.end(name)

    def stop(self) -> None:
        for name in reversed(list(self.processes)):
            self.end(name)

    def leave(self) -> None:
        """End it; no process may be left."""
        self.stop()
        eventually(lambda: processes_that_name(self.folder) == {})


def stored_in(folder: Path) -> dict[str, str]:
    """Environment variables that name a folder as the shared store."""
    folder.mkdir(exist_ok=True)
    return {"BSKERNEL_STORE": str(folder), "BSKERNEL_STORE_MODE": "write-through"}


def processes_that_name(text: Path) -> dict[int, str]:
    """Processes whose command, or whose environment, names a folder: all that belongs to a test."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes()
            known = command + (path / "environ").read_bytes()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
            if str(text).encode() in known and int(path.name) != os.getpid() and state != "Z":
                found[int(path.name)] = command.decode(errors="replace").replace("\0", " ")
    return found
