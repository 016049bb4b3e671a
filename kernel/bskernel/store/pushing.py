"""Pushes results one after another, in a thread that nobody has to wait for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_LOOK_S = 0.2  # so that an interrupt is heard while one waits


class Pusher:
    """What was added is pushed once; one that is pushed or waits is not added again."""

    def __init__(self, push: Callable[[str], object]) -> None:
        self._push = push
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def add(self, key: str) -> None:
        """Push it when all before it were."""
        with self._lock:
            if key in self._waiting or self._stopped:
                return
            self._waiting.add(key)
            self._queue.put(key)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bskernel-push", daemon=True)
                self._thread.start()

    def end(self, *, wait: bool) -> None:
        """Push no more: at once, or with `wait` once all that waits was tried."""
        self._stopped = self._stopped or not wait
        self._queue.put(None)
        while wait and self._thread is not None and self._thread.is_alive():
            try:
                self._thread.join(_LOOK_S)
            except BaseException:
                self._stopped = True
                raise

    def _work(self) -> None:
        while (key := self._queue.get()) is not None and not self._stopped:
            self._push(key)
            with self._lock:
                self._waiting.discard(key)
