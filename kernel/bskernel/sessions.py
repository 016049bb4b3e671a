"""The sessions of a build, and which step runs in which beside which others."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bskernel.ports import Runtime, Session
from bskernel.step import ExecutorRef, Step


class Stopped(Exception):  # noqa: N818 - the build is interrupted
    """No session is given any more."""


@dataclass(eq=False)
class Lease:
    """A step's use of a session."""

    alone: bool
    session: Session = field(init=False)  # set once it is ready
    shared: bool = False  # other steps ran in the session meanwhile: its end may be their doing
    crowded: bool = False  # other steps ran within the same memory meanwhile: they may have used it up


@dataclass(eq=False)
class _Opened:
    future: concurrent.futures.Future[Session]
    leases: list[Lease] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        """Was it there, and has ended?"""
        return self.future.done() and self.future.exception() is None and self.future.result().over


class Sessions:
    """Each is started once, when a step that really runs needs it or will soon; one that has ended is replaced.

    Steps of one executor share a session. Where a memory limit is that of a whole session, a step with a limit has
    one for itself while it runs.
    """

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._make_runtime = runtime
        self._runtime: Runtime | None = None
        self._lock = threading.Lock()
        self._opened: dict[ExecutorRef, list[_Opened]] = {}
        self._stop: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=4, thread_name_prefix="session")

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Start these executors in the background. Raises EnvironmentLacking, ConfigError."""
        # A build whose steps are all recalled needs no runtime.
        self._runtime = self._runtime or self._make_runtime()
        new = [executor for executor in dict.fromkeys(executors) if executor not in self._opened]
        for executor in new:
            # Here and not in the background: what takes minutes must be heard of and be interruptible.
            self._runtime.prepare(executor)
        with self._lock:
            for executor in new:
                self._opened[executor] = [self._open(executor)]

    def _open(self, executor: ExecutorRef) -> _Opened:
        if self._runtime is None:
            raise ValueError("no session was expected")
        return _Opened(self._pool.submit(self._runtime.open, executor))

    @contextlib.contextmanager
    def lease(self, step: Step) -> Iterator[Lease]:
        """A session for a step whose executor was expected, once it is ready; from any thread.

        Raises SessionFailed, EnvironmentLacking; Stopped once the build is interrupted.
        """
        confined = self._runtime is not None and self._runtime.limits_sessions
        lease = Lease(alone=confined and step.memory_mib is not None)
        with self._lock:
            opened = self._free(step.executor, lease.alone)
            for other in opened.leases:
                other.shared = lease.shared = True
            for other in opened.leases if confined else self._all_leases():
                other.crowded = lease.crowded = True
            opened.leases.append(lease)
        try:
            lease.session = self._ready(opened.future)
            yield lease
        finally:
            with self._lock:
                opened.leases.remove(lease)

    def _free(self, executor: ExecutorRef, alone: bool) -> _Opened:
        known = [opened for opened in self._opened[executor] if not opened.gone]
        self._opened[executor] = known
        for opened in known:
            if not opened.leases or not (alone or opened.leases[0].alone):
                return opened
        known.append(self._open(executor))
        return known[-1]

    def _all_leases(self) -> list[Lease]:
        return [lease for known in self._opened.values() for opened in known for lease in opened.leases]

    def _ready(self, future: concurrent.futures.Future[Session]) -> Session:
        if not future.done():
            either: tuple[concurrent.futures.Future[Any], ...] = (future, self._stop)
            concurrent.futures.wait(either, return_when=concurrent.futures.FIRST_COMPLETED)
        if self._stop.done():
            raise Stopped
        return future.result()

    @property
    def runtime_name(self) -> str:
        """The runtime's name; "none" when no step ran."""
        return self._runtime.name if self._runtime is not None else "none"

    def interrupt(self) -> None:
        """Let everybody who waits for a session, or for a step in one, go at once; what runs ends with `close`."""
        with self._lock:
            if not self._stop.done():
                self._stop.set_result(None)
            futures = [opened.future for known in self._opened.values() for opened in known]
        for future in futures:
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().interrupt()

    def close(self) -> None:
        """Close all, also those still starting."""
        for known in self._opened.values():
            for opened in known:
                opened.future.cancel()
        if self._runtime is not None:
            self._runtime.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
