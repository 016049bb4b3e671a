"""Calls to a shared store: each within a time limit, never raising, with failures reported once."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from bskernel_protocol import Digest

from bskernel.store.bounded_map import bounded_call, bounded_map
from bskernel.store.circuit_breaker import CircuitBreaker
from bskernel.store.settings import SharedSettings

T = TypeVar("T")
R = TypeVar("R")
_ANSWER_S = 60.0  # the time limit of a call, plus the time for its bytes at the slowest rate
_SLOWEST = 256 << 10  # bytes per second


class RemoteLink:
    """A link to one shared store. `note` is called only in the thread that created the link."""

    def __init__(self, settings: SharedSettings, note: Callable[[str], None]) -> None:
        self._settings = settings
        self._note = note
        self._thread = threading.get_ident()
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._breaker = CircuitBreaker(self._report)

    @property
    def failure(self) -> str | None:
        """The last error of the shared store, without credentials; None if it has not failed."""
        error = self._breaker.failure
        return self._settings.without_secrets(error) if error is not None else None

    def is_open(self, *, writing: bool = False) -> bool:
        """True when the store may be used now; False for a while after a failure."""
        return self._breaker.is_open(writing=writing)

    def ask(self, function: Callable[[], T], *, writing: bool = False) -> T | None:
        """Call the function; None when it raises, or without a call when the store has failed recently."""
        if not self._breaker.is_open(writing=writing):
            return None
        began = time.monotonic()
        try:
            answer = function()
        except Exception as error:  # noqa: BLE001 - libraries behind fsspec raise what they like
            self._breaker.record_failure(error, writing=writing, lost_s=time.monotonic() - began)
            return None
        self._breaker.record_success(writing=writing)
        return answer

    def _report(self, error: BaseException, writes_only: bool) -> None:
        what = "cannot be written" if writes_only else "cannot be used"
        why = self._settings.without_secrets(error)
        later = "; the next run, or bskernel store push, pushes what could not be pushed"
        if self._settings.mode == "read-only":
            later = ""
        named = f"the shared store {self._settings.shown}"
        self.queue_note(f"warning: {named} {what} ({why}): continuing with the cache{later}")

    def queue_note(self, text: str) -> None:
        """Queue a note, from any thread."""
        self._notes.put(text)

    def deliver_notes(self) -> None:
        """Pass queued notes to `note`, if this is the thread that created the link."""
        if threading.get_ident() == self._thread:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._note(self._notes.get_nowait())


def each(function: Callable[[Digest], R], digests: Sequence[Digest]) -> list[R]:
    """Apply the function to each blob, several at a time, each within a time limit that grows with its size."""
    return bounded_map(function, digests, limit_s=lambda digest: _ANSWER_S + digest.size / _SLOWEST)


def once(function: Callable[[], R]) -> R:
    """Call the function within the time limit."""
    return bounded_call(function, _ANSWER_S)
