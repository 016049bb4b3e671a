"""A call, and a parallel map, with a time limit for each item, in daemon threads."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bskernel.host.lasting_threads import LastingThreads

T = TypeVar("T")
R = TypeVar("R")
WIDTH = 8
_POLL_S = 0.5
_NAME = "bskernel-shared-store"  # of the threads
_threads = LastingThreads()


def bounded_call(function: Callable[[], R], limit_s: float) -> R:
    """Call the function. Raises what it raises, and TimeoutError when it takes longer than `limit_s` in seconds."""
    ended: queue.SimpleQueue[tuple[list[R], Exception | None]] = queue.SimpleQueue()
    _threads.run(lambda: ended.put(_attempt(function)), _NAME)
    try:
        result, error = ended.get(timeout=limit_s)
    except queue.Empty:
        raise TimeoutError(f"no answer within {limit_s:.0f} s") from None
    if error is not None:
        raise error
    return result[0]


def _attempt(function: Callable[[], R]) -> tuple[list[R], Exception | None]:
    try:
        return [function()], None
    except Exception as error:  # noqa: BLE001 - raised again in the waiting thread
        return [], error


class _Batch(Generic[T, R]):
    def __init__(self, function: Callable[[T], R], items: Sequence[T]) -> None:
        self.function = function
        self.items = items
        self.next = 0
        self.results: dict[int, R] = {}
        self.error: Exception | None = None
        self.stopped = False
        self.started: dict[int, float] = {}  # index of a running item -> its start time
        self.changed = threading.Condition()

    def work(self) -> None:
        while True:
            with self.changed:
                at = self.next
                if self.stopped or self.error is not None or at >= len(self.items):
                    return
                self.next += 1
                self.started[at] = time.monotonic()
            result, error = _attempt(functools.partial(self.function, self.items[at]))
            with self.changed:
                del self.started[at]
                if error is not None:
                    self.error = self.error or error
                else:
                    self.results[at] = result[0]
                self.changed.notify_all()


def bounded_map(
    function: Callable[[T], R], items: Sequence[T], *, limit_s: Callable[[T], float], width: int = WIDTH
) -> list[R]:
    """Apply the function to `width` items at a time; returns the results in the order of the items.

    Raises the first error, and TimeoutError when an item takes longer than its `limit_s` in seconds. A thread that
    hangs is abandoned and ends with the process.
    """
    batch = _Batch(function, items)
    for _ in range(min(width, len(items))):
        _threads.run(batch.work, _NAME)
    try:
        with batch.changed:
            while len(batch.results) < len(items) and batch.error is None:
                batch.changed.wait(_POLL_S)
                now = time.monotonic()
                for at, began in batch.started.items():
                    if now - began > limit_s(items[at]):
                        raise TimeoutError(f"no answer within {now - began:.0f} s")
    finally:
        batch.stopped = True
    if batch.error is not None:
        raise batch.error
    return [batch.results[at] for at in range(len(items))]
