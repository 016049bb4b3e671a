"""Buffers the logs of running steps, for steps that are interrupted before their results arrive."""

from __future__ import annotations

import time
from collections import deque
from typing import Literal

import msgspec
from bskernel_protocol import Event, OutputLine, Progress
from bskernel_protocol.manifest import LogLine

_MOST = 10_000  # lines kept per step, the last ones


class LogBuffer:
    """The log lines of every running step, by its task's key. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[LogLine]] = {}
        self._start_times: dict[str, float] = {}

    def begin(self, key: str) -> None:
        """Start the log of a submitted step."""
        self._lines[key] = deque(maxlen=_MOST)

    def add(self, key: str, event: Event) -> None:
        """Add an output line or a progress message of a step; ignore other events."""
        lines = self._lines.get(key)
        stream: Literal["stdout", "stderr", "progress"]
        if isinstance(event, OutputLine):
            stream = event.stream
        elif isinstance(event, Progress):
            stream = "progress"
        else:
            return
        if lines is not None:
            start = self._start_times.setdefault(key, time.monotonic())
            lines.append(LogLine(seconds=round(time.monotonic() - start, 3), stream=stream, text=event.text))

    def end(self, key: str) -> bytes:
        """Remove a step and return its log so far as JSON lines, with seconds since the first line."""
        self._start_times.pop(key, None)
        return b"".join(msgspec.json.encode(line) + b"\n" for line in self._lines.pop(key, ()))
