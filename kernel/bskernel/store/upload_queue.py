"""Pushes results in the background, in daemon threads."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable

from bskernel.host.thread import Thread

_WIDTH = 4  # results at a time, each with several blobs
_SLOW_S = 2.0
_POLL_S = 0.2  # so that an interrupt can end the wait


class UploadQueue:
    """Pushes each result that is added; ignores one that is queued or being pushed already."""

    def __init__(self, push: Callable[[str], object]) -> None:
        self._push = push
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._threads: list[threading.Thread] = []

    def add(self, key: str) -> None:
        """Queue a result."""
        with self._lock:
            if key in self._waiting or self._stopped:
                return
            self._waiting.add(key)
            self._queue.put(key)
            if len(self._threads) < min(_WIDTH, len(self._waiting)):
                self._threads.append(Thread(target=self._work, name="bskernel-push", daemon=True))
                self._threads[-1].start()

    def end(self, *, wait: bool, is_slow: Callable[[int], None]) -> None:
        """Stop, at once or with `wait` once every queued result was tried. Calls `is_slow` once with their number."""
        slow_at = time.monotonic() + _SLOW_S
        self._stopped = self._stopped or not wait
        for _ in self._threads:
            self._queue.put(None)
        while wait and (alive := [thread for thread in self._threads if thread.is_alive()]):
            try:
                alive[0].join(_POLL_S)
                if time.monotonic() > slow_at:
                    slow_at = math.inf
                    is_slow(len(self._waiting))
            except BaseException:
                self._stopped = True
                raise

    def _work(self) -> None:
        while (key := self._queue.get()) is not None and not self._stopped:
            self._push(key)
            with self._lock:
                self._waiting.discard(key)
