"""A circuit breaker: reports the first failure of a shared store, then leaves the store alone for a while."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

_FIRST_S = 30.0  # the pause after the first failure; it doubles with each further failure
_LONGEST_S = 600.0
_PAUSE_FACTOR = 10  # the pause is at least this many times the time lost by the failed call
_WRITES_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


class _Direction:
    """Reading or writing."""

    def __init__(self) -> None:
        self.closed_until = 0.0
        self.pause_s = _FIRST_S
        self.reported = False


class CircuitBreaker:
    """Recent failures, separate for reading and writing: a store that is full can still be read."""

    def __init__(
        self, report: Callable[[BaseException, bool], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Calls `report` with the first failure, and True when only writing fails."""
        self._report = report
        self._clock = clock
        self._lock = threading.Lock()
        self._reading, self._writing = _Direction(), _Direction()
        self.failure: BaseException | None = None  # the latest

    def is_open(self, *, writing: bool = False) -> bool:
        """True when the store may be used now."""
        directions = (self._reading, self._writing) if writing else (self._reading,)
        return all(self._clock() >= direction.closed_until for direction in directions)

    def record_failure(self, error: BaseException, *, writing: bool = False, lost_s: float = 0.0) -> None:
        """Record a failed call that took `lost_s` seconds."""
        writes_only = writing and (
            isinstance(error, PermissionError) or getattr(error, "errno", None) in _WRITES_ONLY
        )
        direction = self._writing if writes_only else self._reading
        with self._lock:
            self.failure = error
            if self._clock() < direction.closed_until:
                return  # this call ran at the same time as one that has failed already
            direction.closed_until = self._clock() + max(direction.pause_s, _PAUSE_FACTOR * lost_s)
            direction.pause_s = min(2 * direction.pause_s, _LONGEST_S)
            reported, direction.reported = direction.reported, True
        if not reported:
            self._report(error, writes_only)

    def record_success(self, *, writing: bool = False) -> None:
        """Record a call that succeeded."""
        self._reading.pause_s = _FIRST_S
        if writing:
            self._writing.pause_s = _FIRST_S
