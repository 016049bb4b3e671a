"""Threads whose start ends, also where there is no memory for them."""

from __future__ import annotations

import threading
from typing import Any

_LONGEST_S = 20.0  # a thread begins in less than a millisecond; a loaded machine may take longer


class _Begun(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        if super().wait(_LONGEST_S if timeout is None else timeout):
            return True
        raise RuntimeError("can't start new thread: it found no memory to begin")  # as Python says without threads


class Thread(threading.Thread):
    """A thread as Python's, but `start` raises RuntimeError if the thread gives no sign of life.

    Python waits for that sign without an end, and a thread that finds no memory to begin cannot give it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._started = _Begun()  # what Python's `start` waits for

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end; of one that could not start there is nothing to wait for."""
        if self._started.is_set():
            super().join(timeout)
