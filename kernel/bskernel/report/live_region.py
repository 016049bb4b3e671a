"""The lines at the end of a terminal that are drawn again and again, below those that stay.

It asks nothing of the terminal that must be undone: the cursor is never hidden, no mode is changed. So however the
program ends, also by kill -9, the terminal is as it was.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

_CLEAR = "\x1b[J"  # from the cursor to the end


class LiveRegion:
    """A region of a terminal. Its lines must be shorter than the terminal is wide, and contain no controls."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = 0  # lines of the region; the cursor is below them, where keys are echoed
        self._columns = 0
        self.lost = False  # True when the terminal is gone

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal; 80 and 24 where it does not say."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        return size.columns or 80, size.lines or 24

    @property
    def in_foreground(self) -> bool:
        """False when a shell has put the program into the background: then the screen is the shell's."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):
            return True

    def forget(self) -> None:
        """Draw at the cursor next time: others have written since, e.g. a shell after Ctrl-Z."""
        self._rows = 0

    def paint(self, above: Sequence[str], lines: Sequence[str]) -> None:
        """Replace the region by `above`, which stays, and `lines`, which the next call replaces."""
        columns, _ = self.size
        start = "\r"
        if self._rows and columns < self._columns:
            # Some terminals have broken the region's lines, others have cut them: to erase it might erase others.
            start = "\r\n"
        elif self._rows:
            start = f"\r\x1b[{self._rows}A"
        self._write(f"{start}{_CLEAR}" + "".join(f"{line}\n" for line in (*above, *lines)))
        self._rows, self._columns = len(lines), columns

    def _write(self, text: str) -> None:
        if self.lost:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except Exception:  # noqa: BLE001 - a display that fails must not end a build
            self.lost = True
