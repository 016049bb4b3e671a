"""Sends what steps on a worker say to their builds, in few messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from bskernel_protocol import Event, OutputLine, Progress

from bskernel.cluster.messages import Answer, StepNews, encode
from bskernel.host.thread import Thread

_MOMENT_S = 0.1  # what is said within it goes out together
# Bytes of a message that are enough for most answers. The scheduler keeps the last thousand messages to a build.
_LARGEST = 8 << 10


class NewsSender:
    """The news of a worker's steps. Safe to use from any thread."""

    def __init__(self, send: Callable[[str, bytes], None]) -> None:
        """`send` sends a message to a topic. It is called in several threads, but one at a time, and in order."""
        self._send = send
        self._lock = threading.Lock()
        self._unsent: dict[tuple[str, str], list[Event]] = {}  # by topic and the task's key
        self._said = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def say(self, topic: str, key: str, event: Event) -> None:
        """Send an event of the task's step soon, if a build shows or keeps such events."""
        if not isinstance(event, OutputLine | Progress):
            return
        with self._lock:
            self._unsent.setdefault((topic, key), []).append(event)
            if self._thread is None and not self._closed:
                self._thread = Thread(target=self._work, name="news of steps", daemon=True)
                self._thread.start()
        self._said.set()

    def end(self, topic: str, key: str, answer: Answer) -> bytes:
        """Send at once what is left to be said of the task's step, and its answer unless it is large.

        Returns the encoded answer.
        """
        encoded = encode(answer)
        self.end_with(topic, key, answer if len(encoded) <= _LARGEST else None)
        return encoded

    def end_with(self, topic: str, key: str, answer: Answer | None) -> None:
        """Send at once what is left to be said of the task's step, and its answer if given."""
        with self._lock:
            events = self._unsent.pop((topic, key), [])
            if events or answer is not None:
                self._tell(topic, key, events, answer)

    def close(self) -> None:
        """Send nothing more on its own."""
        self._closed = True
        self._said.set()

    def _work(self) -> None:
        while not self._closed:
            self._said.wait()
            time.sleep(_MOMENT_S)
            self._said.clear()
            with self._lock:
                unsent, self._unsent = self._unsent, {}
                for (topic, key), events in unsent.items():
                    self._tell(topic, key, events, None)

    def _tell(self, topic: str, key: str, events: Sequence[Event], answer: Answer | None) -> None:
        *first, last = _parts(events)
        for part in first:
            self._send(topic, encode(StepNews(key=key, events=part)))
        self._send(topic, encode(StepNews(key=key, events=last, answer=answer)))


def _parts(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    """The events in parts of about the largest size of a message; one empty part if there are none."""
    part: list[Event] = []
    size = 0
    for event in events:
        size += len(event.text) if isinstance(event, OutputLine | Progress) else 0
        if part and size > _LARGEST:
            yield tuple(part)
            part, size = [], 0
        part.append(event)
    yield tuple(part)
