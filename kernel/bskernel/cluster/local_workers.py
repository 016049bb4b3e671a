"""Dask workers on this machine, which end with the run that started them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bskernel.cluster.resources import format_resources
from bskernel.host.thread import Thread

_END_S = 10.0  # how long a worker may take to end its steps' processes
_MOST_LOST = 20  # how many workers are replaced before giving up


class LocalWorkers:
    """One process per worker, each with one step at a time; a worker that ends is replaced.

    A worker ends by itself when this process ends, which runs the scheduler.
    """

    def __init__(
        self, address: str, resources: Sequence[Mapping[str, int]], folder: Path, credentials: Sequence[str]
    ) -> None:
        """Starts one worker for each item of `resources`, which it declares. `folder` takes logs and Dask's files."""
        self._address = address
        self._folder = folder
        self._credentials = credentials
        self._resources = resources
        self._lock = threading.Lock()
        self._closing = False
        self.on_give_up: Callable[[tuple[str, ...]], None] = lambda _: None  # called with a worker's last lines
        self._lost = 0
        self._processes = [self._start(index) for index in range(len(resources))]
        self._watchers = [Thread(target=self._watch, args=(index,), daemon=True) for index in range(len(resources))]
        for watcher in self._watchers:
            watcher.start()

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "bskernel.cluster.local_worker_main", self._address]
        command += ["--name", f"local-{index}", "--nthreads", "1", "--no-nanny", "--memory-limit", "0"]
        command += ["--no-dashboard", "--local-directory", str(self._folder), *self._credentials]
        if self._resources[index]:
            command += ["--resources", format_resources(self._resources[index])]
        with (self._folder / f"worker-{index}.log").open("ab") as log:
            # In a new session, so that the terminal sends an interrupt to the build alone.
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )

    def _watch(self, index: int) -> None:
        while True:
            self._processes[index].wait()
            with self._lock:
                if self._closing:
                    return
                self._lost += 1
                if self._lost > _MOST_LOST:
                    break
                _close_pipe(self._processes[index])
                self._processes[index] = self._start(index)
        self.on_give_up(self.last_words())

    def last_words(self) -> tuple[str, ...]:
        """The last lines that the first worker printed."""
        text = (self._folder / "worker-0.log").read_text(encoding="utf-8", errors="replace")
        return tuple(line for line in text.splitlines() if line.strip())[-4:]

    def close(self) -> None:
        """End all workers and wait for them."""
        with self._lock:
            self._closing = True
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
            process.kill()
            _close_pipe(process)
        for watcher in self._watchers:
            watcher.join()


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()


@contextlib.contextmanager
def local_workers(
    address: str, resources: Sequence[Mapping[str, int]], folder: Path, credentials: Sequence[str]
) -> Iterator[LocalWorkers]:
    """Run workers during the context."""
    workers = LocalWorkers(address, resources, folder, credentials)
    try:
        yield workers
    finally:
        workers.close()
