"""Calls side by side in threads, and in this thread alone where no other can begin."""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Callable, Sequence


def run_side_by_side(calls: Sequence[Callable[[], object]], at_once: int | None = None) -> None:
    """Make all calls, at most so many at once, then raise what the first of them raised, if any did.

    Python's own pools wait for a thread's first sign of life. A thread that finds no memory to begin gives none, so
    here each thread takes calls from a queue, and this one takes what is left.
    """
    waiting = deque(enumerate(calls))
    ended = threading.Semaphore(0)
    raised: dict[int, BaseException] = {}

    def work() -> None:
        while True:
            try:
                place, call = waiting.popleft()
            except IndexError:
                return
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
                raised[place] = error
            finally:
                ended.release()

    for _ in calls[1:at_once]:
        try:
            _thread.start_new_thread(work, ())
        except RuntimeError:  # the system gives no thread
            break
    work()
    for _ in calls:
        ended.acquire()
    if raised:
        raise raised[min(raised)]
