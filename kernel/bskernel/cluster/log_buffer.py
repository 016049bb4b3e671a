"""What running steps have said so far: their logs, should nobody wait for their ends."""

from __future__ import annotations

import time
from collections import deque
from typing import Literal

import msgspec
from bskernel_protocol import Event, OutputLine, Progress
from bskernel_protocol.manifest import LogLine

_MOST = 10_000  # of each step the last lines


class LogBuffer:
    """The lines of every running step, by its task's key. Each method may be called in any thread."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[LogLine]] = {}
        self._began: dict[str, float] = {}

    def begin(self, key: str) -> None:
        """The step is submitted."""
        self._lines[key] = deque(maxlen=_MOST)

    def hear(self, key: str, event: Event) -> None:
        """The step says something."""
        lines = self._lines.get(key)
        stream: Literal["stdout", "stderr", "progress"]
        if isinstance(event, OutputLine):
            stream = event.stream
        elif isinstance(event, Progress):
            stream = "progress"
        else:
            return
        if lines is not None:
            began = self._began.setdefault(key, time.monotonic())
            lines.append(LogLine(seconds=round(time.monotonic() - began, 3), stream=stream, text=event.text))

    def end(self, key: str) -> bytes:
        """The step is over; its log as far as it was heard, its seconds since the first line."""
        self._began.pop(key, None)
        return b"".join(msgspec.json.encode(line) + b"\n" for line in self._lines.pop(key, ()))
