"""Workers on this machine, which end with the run that started them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bskernel.cluster.resources import declared

_END_S = 10.0  # a worker that is told to end first ends what its steps have started
_MOST_LOST = 20  # workers that are replaced: enough for accidents, few enough for a machine where none lives


class LocalWorkers:
    """One process for each worker, each with one step at once; one that ends is replaced.

    A worker ends by itself when this process does, in which the scheduler is.
    """

    def __init__(
        self, address: str, hands: Sequence[Mapping[str, int]], folder: Path, credentials: Sequence[str]
    ) -> None:
        """One worker for each of `hands`, which says what it declares; `folder` is for logs and Dask's files."""
        self._address = address
        self._folder = folder
        self._credentials = credentials
        self._hands = hands
        self._lock = threading.Lock()
        self._closing = False
        self.when_none_lives: Callable[[tuple[str, ...]], None] = lambda _: None  # is told what one said last
        self._lost = 0
        self._processes = [self._start(place) for place in range(len(hands))]
        self._watchers = [
            threading.Thread(target=self._watch, args=(place,), daemon=True) for place in range(len(hands))
        ]
        for watcher in self._watchers:
            watcher.start()

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bskernel.cluster.local_worker_main", self._address]
        command += ["--name", f"local-{place}", "--nthreads", "1", "--no-nanny", "--memory-limit", "0"]
        command += ["--no-dashboard", "--local-directory", str(self._folder), *self._credentials]
        if self._hands[place]:
            command += ["--resources", declared(self._hands[place])]
        with (self._folder / f"worker-{place}.log").open("ab") as log:
            # In a session of its own: an interrupt from the terminal is the build's to deal with.
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )

    def _watch(self, place: int) -> None:
        while True:
            self._processes[place].wait()
            with self._lock:
                if self._closing:
                    return
                self._lost += 1
                if self._lost > _MOST_LOST:
                    break
                _close_pipe(self._processes[place])
                self._processes[place] = self._start(place)
        self.when_none_lives(self.last_words())

    def last_words(self) -> tuple[str, ...]:
        """The end of what a worker printed."""
        text = (self._folder / "worker-0.log").read_text(encoding="utf-8", errors="replace")
        return tuple(line for line in text.splitlines() if line.strip())[-4:]

    def close(self) -> None:
        """End them all, and wait for them."""
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
    address: str, hands: Sequence[Mapping[str, int]], folder: Path, credentials: Sequence[str]
) -> Iterator[LocalWorkers]:
    """Workers for the time of the context."""
    workers = LocalWorkers(address, hands, folder, credentials)
    try:
        yield workers
    finally:
        workers.close()
