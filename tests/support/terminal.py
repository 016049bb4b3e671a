"""A terminal of a given size, in which a test runs a real command and sees what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from select import select

import pyte

_LONGEST_S = 120.0
_QUIET = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "GITHUB_ACTIONS", "COLUMNS", "LINES"}


class Terminal:
    """A command that leads a session on a terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        *,
        columns: int = 100,
        lines: int = 60,
        term: str = "xterm-256color",
    ) -> None:
        self.raw = b""
        self._screen = pyte.HistoryScreen(columns, lines, history=2000)
        self._stream = pyte.ByteStream(self._screen)
        variables = {name: value for name, value in environment.items() if name not in _QUIET}
        self.pid, self._ours = pty.fork()
        if self.pid == 0:  # no assertion of this process must run on
            try:
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
                signal.signal(signal.SIGINT, signal.default_int_handler)
                signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started the tests may ignore it
                os.chdir(cwd)
                os.execvpe(command[0], list(command), {**variables, "TERM": term})  # noqa: S606
            finally:
                os._exit(127)

    def resize(self, columns: int, lines: int = 60) -> None:
        """Change the size, as a window manager does."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen.resize(lines, columns)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._ours, keys)

    def close(self) -> None:
        """Close the window."""
        os.close(self._ours)
        self._ours = -1

    def await_text(self, text: str) -> None:
        """Read until the text is on the screen, or was."""
        self.await_that(lambda: text in self.text or text.encode() in self.raw, text)

    def await_that(self, holds: Callable[[], bool], what: str) -> None:
        """Read until something holds."""
        end = time.monotonic() + _LONGEST_S
        while not holds():
            assert time.monotonic() < end, f"no {what!r} in:\n{self.text}"
            if not self._read(0.2) and not holds():
                raise AssertionError(f"ended without {what!r}:\n{self.text}")

    def wait(self) -> int:
        """Read to the end; the exit code, or minus the signal."""
        while self._ours >= 0 and self._read(_LONGEST_S):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self, seconds: float) -> bool:
        """Read what there is; False at the end."""
        if not select([self._ours], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # how Linux says that the other side was closed
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    @property
    def screen(self) -> list[str]:
        """The lines that are visible."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """All lines, those that have scrolled away first."""
        width = self._screen.columns
        above = ["".join(line[at].data for at in range(width)).rstrip() for line in self._screen.history.top]
        return "\n".join([*above, *self.screen]).rstrip()

    @property
    def is_sane(self) -> bool:
        """True when the cursor is shown, and the terminal echoes and edits lines."""
        local = termios.tcgetattr(self._ours)[3]
        return self.has_cursor and bool(local & termios.ECHO and local & termios.ICANON)

    @property
    def has_cursor(self) -> bool:
        """True when the cursor is shown."""
        return not self._screen.cursor.hidden
