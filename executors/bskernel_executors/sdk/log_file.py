"""A step's log on disk: every line at once, within a limit."""

from __future__ import annotations

import collections
import os
from pathlib import Path

import msgspec
from bskernel_protocol import LogLine
from bskernel_protocol.controls import escape_json_bytes
from bskernel_protocol.layout import LOG, LOG_LARGEST
from bskernel_protocol.plain_file import create_plain

_TAIL = 1 << 20  # bytes of the log's end that are kept of a log that is too long
_NOTE = 512  # bytes, more than the line that says what was left out


class LogFile:
    """The log of a running step. Nothing is buffered: each line survives the server.

    Of a log that is too long, the start and the end are kept, with a line between them that says what is left out.
    """

    def __init__(self, directory: Path, largest: int = LOG_LARGEST) -> None:
        """Replace what is in the way. Raises OSError."""
        self._fd = create_plain(str(directory / LOG))
        self._room = largest - _TAIL - _NOTE
        self._tail: collections.deque[bytes] = collections.deque()
        self._tail_bytes = 0
        self._left_out = self._left_out_bytes = 0

    def fileno(self) -> int:
        """The descriptor of the file."""
        return self._fd

    @property
    def full(self) -> bool:
        """True once lines are left out."""
        return self._room < 0

    def write(self, line: LogLine) -> None:
        """Append a line."""
        data = escape_json_bytes(msgspec.json.encode(line)) + b"\n"
        if self._room >= len(data):
            self._room -= len(data)
            os.write(self._fd, data)
            return
        self._room = -1
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes > _TAIL:
            lost = self._tail.popleft()
            self._tail_bytes -= len(lost)
            self._left_out += 1
            self._left_out_bytes += len(lost)

    def close(self, seconds: float) -> None:
        """Write the end of a log that was too long, `seconds` after the step's start, and close the file."""
        if self._left_out:
            text = f"({self._left_out:,} lines, {self._left_out_bytes:,} bytes, left out here: the log is too long)"
            os.write(self._fd, msgspec.json.encode(LogLine(seconds=seconds, stream="stderr", text=text)) + b"\n")
        for data in self._tail:
            os.write(self._fd, data)
        os.close(self._fd)
