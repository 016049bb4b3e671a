"""How a shared store is asked: each time within a limit, never raising, and what fails is told once."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from bskernel_protocol import Digest

from bskernel.store.bounded_map import bounded_map
from bskernel.store.circuit_breaker import CircuitBreaker
from bskernel.store.settings import SharedSettings

T = TypeVar("T")
R = TypeVar("R")
_ANSWER_S = 60.0  # within which anything is answered, and for each so many bytes a second more
_SLOWEST = 256 << 10


class RemoteLink:
    """To one shared store. `note` is called in the thread that made the link, when that asks for it."""

    def __init__(self, settings: SharedSettings, note: Callable[[str], None]) -> None:
        self._settings = settings
        self._note = note
        self._thread = threading.get_ident()
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reach = CircuitBreaker(self._failed)

    @property
    def failure(self) -> str | None:
        """Why the shared store failed last, without credentials."""
        error = self._reach.failure
        return self._settings.without_secrets(error) if error is not None else None

    def is_open(self, *, writing: bool = False) -> bool:
        """May it be asked now? Not for a while after it failed."""
        return self._reach.is_open(writing=writing)

    def asked(self, function: Callable[[], T], *, writing: bool = False) -> T | None:
        """What the function answers; None when it raises, or is not called as something has failed of late."""
        if not self._reach.is_open(writing=writing):
            return None
        began = time.monotonic()
        try:
            answer = function()
        except Exception as error:  # noqa: BLE001 - libraries behind fsspec raise what they like
            self._reach.failed(error, writing=writing, lost_s=time.monotonic() - began)
            return None
        self._reach.answered(writing=writing)
        return answer

    def _failed(self, error: BaseException, writing_alone: bool) -> None:
        what = "cannot be written" if writing_alone else "cannot be used"
        why = self._settings.without_secrets(error)
        later = "; what could not be pushed is pushed by the next run, or by bskernel store push"
        if self._settings.mode == "read-only":
            later = ""
        self.tell(f"the shared store {self._settings.shown} {what} ({why}): going on with the cache{later}")

    def tell(self, text: str) -> None:
        """Have something noted, from any thread."""
        self._notes.put(text)

    def pass_notes_on(self) -> None:
        """Note what was told, if this is the thread that made the link."""
        if threading.get_ident() == self._thread:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._note(self._notes.get_nowait())


def each(function: Callable[[Digest], R], digests: Sequence[Digest]) -> list[R]:
    """What the function makes of each blob, several at once, each within a time that depends on its size."""
    return bounded_map(function, digests, limit_s=lambda digest: _ANSWER_S + digest.size / _SLOWEST)


def once(function: Callable[[], R]) -> R:
    """What the function makes, in time."""
    return bounded_map(lambda _: function(), [None], limit_s=lambda _: _ANSWER_S)[0]
