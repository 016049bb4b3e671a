"""Does a shared store answer? One that fails is told of once and left alone for a while."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

_FIRST_S = 30.0  # how long it is left alone after a first failure; twice as long after each further one
_LONGEST_S = 600.0
_WORTH = 10  # and at least so many times as long as was waited in vain
_WRITES_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


class _Way:
    """Reading or writing."""

    def __init__(self) -> None:
        self.closed_until = 0.0
        self.pause_s = _FIRST_S
        self.told = False


class CircuitBreaker:
    """What has failed of late, for reading and writing apart: a store that is full can still be read."""

    def __init__(
        self, tell: Callable[[BaseException, bool], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`tell` hears of the first failure, and whether it is one of writing alone."""
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._reading, self._writing = _Way(), _Way()
        self.failure: BaseException | None = None  # the latest

    def is_open(self, *, writing: bool = False) -> bool:
        """May it be asked now?"""
        ways = (self._reading, self._writing) if writing else (self._reading,)
        return all(self._clock() >= way.closed_until for way in ways)

    def failed(self, error: BaseException, *, writing: bool = False, lost_s: float = 0.0) -> None:
        """It did not do what it was asked for, and that took so long."""
        alone = writing and (isinstance(error, PermissionError) or getattr(error, "errno", None) in _WRITES_ONLY)
        way = self._writing if alone else self._reading
        with self._lock:
            self.failure = error
            if self._clock() < way.closed_until:
                return  # what was asked at the same time as something that has failed already
            way.closed_until = self._clock() + max(way.pause_s, _WORTH * lost_s)
            way.pause_s = min(2 * way.pause_s, _LONGEST_S)
            told, way.told = way.told, True
        if not told:
            self._tell(error, alone)

    def answered(self, *, writing: bool = False) -> None:
        """It did what it was asked for."""
        self._reading.pause_s = _FIRST_S
        if writing:
            self._writing.pause_s = _FIRST_S
