"""Tells a server that is stuck from one whose steps are silent: while steps run, the server says that it reacts."""

from __future__ import annotations

import time
from pathlib import Path

_STOPPED = "T"  # in /proc/PID/stat; a debugger's "t" is no stop that nobody ends


def state_of(pid: int) -> str:
    """The state letter of a process (proc(5)), e.g. R; "" when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


class Heartbeat:
    """When the server must say that it reacts: every `interval_s` seconds, never without an interval."""

    stopped_s = 10.0  # a step's process may be stopped that long

    def __init__(self, interval_s: float | None) -> None:
        self._interval_s = interval_s
        self._last = time.monotonic()
        self._stopped: dict[int, float] = {}  # PID -> how long it has been seen stopped, in seconds

    def timeout(self) -> float | None:
        """In how many seconds it is due; None when never."""
        if self._interval_s is None:
            return None
        return max(0.0, self._last + self._interval_s - time.monotonic())

    def due(self) -> bool:
        """Whether it is due now; the next one is due an interval later."""
        if self._interval_s is None or time.monotonic() < self._last + self._interval_s:
            return False
        self._last = time.monotonic()
        return True

    def note_stopped(self, pid: int) -> bool:
        """Look at a step's process once per heartbeat; True when it has been stopped for `stopped_s` seconds."""
        if state_of(pid) != _STOPPED:
            self._stopped.pop(pid, None)
            return False
        # Counted in heartbeats: a machine that slept, or a stopped server, does not count.
        self._stopped[pid] = self._stopped.get(pid, 0.0) + (self._interval_s or 0.0)
        return self._stopped[pid] >= self.stopped_s
