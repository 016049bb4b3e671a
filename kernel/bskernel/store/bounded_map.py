"""The same done to many things at once, each within its time, by threads that nobody has to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
WIDTH = 8
_LOOK_S = 0.5


class _Batch(Generic[T, R]):
    def __init__(self, function: Callable[[T], R], items: Sequence[T]) -> None:
        self.function = function
        self.items = items
        self.next = 0
        self.results: dict[int, R] = {}
        self.error: Exception | None = None
        self.stopped = False
        self.under_way: dict[int, float] = {}  # item -> when it began
        self.changed = threading.Condition()

    def work(self) -> None:
        while True:
            with self.changed:
                at = self.next
                if self.stopped or self.error is not None or at >= len(self.items):
                    return
                self.next += 1
                self.under_way[at] = time.monotonic()
            result, error = self._attempt(self.items[at])
            with self.changed:
                del self.under_way[at]
                if error is not None:
                    self.error = self.error or error
                else:
                    self.results[at] = result[0]
                self.changed.notify_all()

    def _attempt(self, item: T) -> tuple[list[R], Exception | None]:
        try:
            return [self.function(item)], None
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            return [], error


def bounded_map(
    function: Callable[[T], R], items: Sequence[T], *, limit_s: Callable[[T], float], width: int = WIDTH
) -> list[R]:
    """What the function makes of each item, in their order; `width` of them at once.

    Raises the first error, and TimeoutError when one takes longer than its `limit_s`: a thread that hangs is left
    behind, and ends with the process.
    """
    batch = _Batch(function, items)
    for _ in range(min(width, len(items))):
        threading.Thread(target=batch.work, name="bskernel-shared-store", daemon=True).start()
    try:
        with batch.changed:
            while len(batch.results) < len(items) and batch.error is None:
                batch.changed.wait(_LOOK_S)
                now = time.monotonic()
                for at, began in batch.under_way.items():
                    if now - began > limit_s(items[at]):
                        raise TimeoutError(f"no answer within {now - began:.0f} s")
    finally:
        batch.stopped = True
    if batch.error is not None:
        raise batch.error
    return [batch.results[at] for at in range(len(items))]
