"""Daemon threads that stay a while for the next piece of work: to start one takes longer than many pieces."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable
from typing import TypeAlias

from bskernel.host.thread import Thread

_IDLE_S = 1.0  # how long a thread without work stays for more
_Work: TypeAlias = Callable[[], None]


class LastingThreads:
    """Runs each piece of work at once, in a thread that does nothing else at that time. From any thread."""

    def __init__(self) -> None:
        self._idle: list[queue.SimpleQueue[_Work]] = []  # where threads without work wait for it
        self._pid = os.getpid()

    @property
    def idle(self) -> int:
        """How many threads wait for work."""
        return len(self._idle)

    def run(self, work: _Work, name: str) -> None:
        """Begin the work, which must not raise; a new thread gets the name. Raises RuntimeError if none starts."""
        if self._pid != os.getpid():  # a forked process has none of the threads
            self._idle, self._pid = [], os.getpid()
        try:
            self._idle.pop().put(work)
        except IndexError:
            # Starting one takes longer than handing over work: this thread waits for its first sign of life.
            Thread(target=self._serve, args=(work,), name=name, daemon=True).start()

    def _serve(self, work: _Work) -> None:
        given: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        while True:
            work()
            del work  # what it holds may be large
            self._idle.append(given)
            try:
                work = given.get(timeout=_IDLE_S)
            except queue.Empty:
                try:
                    self._idle.remove(given)
                except ValueError:  # work is on its way
                    work = given.get()
                else:
                    return
