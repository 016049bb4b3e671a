"""Dask workers on this machine, which end with the run that started them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from bskernel.cluster.local_worker_main import WorkerRequest
from bskernel.cluster.resources import format_resources
from bskernel.cluster.worker_link import WorkerLink, connect
from bskernel.host.thread import Thread
from bskernel.runtime.session_dirs import make_folders

_END_S = 20.0  # how long the workers may take to end; each is killed after half of it
_MOST_LOST = 20  # how many workers are replaced before giving up


class LocalWorkers:
    """One process per worker, each with one step at a time; a worker that ends is replaced.

    They are forked from a process that imports what a worker needs, once, while this one imports the scheduler. All
    end by themselves when this process ends, which runs the scheduler.
    """

    def __init__(self, folder: Path) -> None:
        """`folder`, which nobody else can read, takes credentials, logs and Dask's files."""
        self.folder = folder
        self.on_give_up: Callable[[tuple[str, ...]], None] = lambda _: None  # called with a worker's last lines
        # Called with each worker's index, name and link, before the worker starts.
        self.on_link: Callable[[int, str, WorkerLink], None] = lambda _, __, link: link.close()
        self._arguments: tuple[tuple[str, ...], ...] = ()  # of each worker
        self._lock = threading.Lock()
        self._closing = False
        self._lost = 0
        self._forker, self._requests = self._start_forker()
        self._watcher = Thread(target=self._watch, name="local workers", daemon=True)
        self._watcher.start()

    def _start_forker(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """The process, and what takes requests for workers and ends them when it is closed."""
        command = [sys.executable, "-P", "-m", "bskernel.cluster.local_worker_main"]
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with (self.folder / "workers.log").open("ab") as log, there:
            # In a new session, so that the terminal sends an interrupt to the build alone.
            process = subprocess.Popen(
                command,
                stdin=there.fileno(),
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        return process, here

    def start(self, address: str, resources: Sequence[Mapping[str, int]], credentials: Sequence[str]) -> None:
        """Start one worker of the scheduler at `address` for each item of `resources`, which it declares."""
        common = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--no-dashboard", *credentials)
        with self._lock:
            self._arguments = tuple(
                (address, *common, *(("--resources", format_resources(declared)) if declared else ()))
                for declared in resources
            )
            self._ask(range(len(resources)))

    def _ask(self, indices: Iterable[int]) -> None:
        for index in indices:
            request = self._request(index)
            link, other_end = connect()
            try:
                self.on_link(index, request.name, link)
                # A process that has ended is replaced, and asked again.
                with contextlib.suppress(ConnectionError):
                    socket.send_fds(self._requests, [msgspec.json.encode(request)], [other_end])
            finally:
                os.close(other_end)

    def _request(self, index: int) -> WorkerRequest:
        # The scheduler takes no worker with the name of one that it has not missed yet.
        name = f"local-{index}-{self._lost}" if self._lost else f"local-{index}"
        where = ("--name", name, "--local-directory", str(self.folder))
        return WorkerRequest(
            index=index,
            name=name,
            arguments=(*self._arguments[index], *where),
            log=str(self.folder / f"worker-{index}.log"),
        )

    def _watch(self) -> None:
        while (ended := self._forker.stdout) is not None:
            with ended:
                for line in ended:
                    if not self._replace(int(line)):
                        return
            if not self._replace(None):
                return

    def _replace(self, index: int | None) -> bool:
        """Start a worker again that has ended, or with None all of them; False if no more are started."""
        with self._lock:
            if self._closing:
                return False
            self._lost += 1
            if self._lost <= _MOST_LOST:
                if index is None:
                    _end(self._forker, self._requests)
                    self._forker, self._requests = self._start_forker()
                self._ask(range(len(self._arguments)) if index is None else [index])
                return True
        self.on_give_up(self.last_words())
        return False

    def last_words(self) -> tuple[str, ...]:
        """The last lines that the first worker printed, else those of the process that was to start it."""
        for name in ("worker-0.log", "workers.log"):
            with contextlib.suppress(FileNotFoundError):
                text = (self.folder / name).read_text(encoding="utf-8", errors="replace")
                if lines := [line for line in text.splitlines() if line.strip()]:
                    return tuple(lines[-4:])
        return ()

    def close(self) -> None:
        """End all workers and wait for them. May be called twice."""
        with self._lock:
            self._closing = True
        _end(self._forker, self._requests)
        self._watcher.join()


def _end(forker: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    try:
        forker.wait(_END_S)
    except subprocess.TimeoutExpired:
        forker.kill()
        forker.wait()


@contextlib.contextmanager
def local_workers(cache: Path) -> Iterator[LocalWorkers]:
    """Processes for workers during the context, with a folder in the cache; they wait for a scheduler's address."""
    folders = make_folders(cache, "process")
    try:
        folders.home.chmod(0o700)
        with contextlib.closing(LocalWorkers(folders.home)) as workers:
            yield workers
    finally:
        folders.remove()
