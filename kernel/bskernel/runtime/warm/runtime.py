"""A runtime that uses kept sessions where there are any, and opens its own where there are none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bskernel.core.interfaces import Session, SessionFailed
from bskernel.core.step import ExecutorRef
from bskernel.runtime.session import FramedRuntime, Starter, when_ready
from bskernel.runtime.session_dirs import SessionFolders, abandoned
from bskernel.runtime.warm.client import BorrowedTransport, ask, borrow, request_end
from bskernel.runtime.warm.launcher import start_daemon
from bskernel.runtime.warm.messages import DaemonRecord, DaemonSpec
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry
from bskernel.runtime.warm.session import WarmSession
from bskernel.runtime.warm.status import end_failed


class WarmRuntime:
    """Only what no kept session does is started: the other runtime is made when it is first needed.

    What is given installed tools is never kept: with them it may have a licence, and a network to ask for one.
    `wanted` is the runtime's name, or auto. With `keep_s`, what has to be started is kept that long after the run.
    """

    def __init__(
        self,
        cache: Path,
        root: Path,
        wanted: str,
        starter: Callable[[str], Starter],
        report: Callable[[str], None],
        keep_s: float | None = None,
    ) -> None:
        self._cache = cache
        self._root = root.resolve()  # a keeper has no folder to begin from
        self._wanted = wanted
        self._starter = starter
        self._report = report
        self._keep_s = keep_s
        self._places = SessionRegistry(cache)
        self._own: FramedRuntime | None = None
        self._making = threading.Lock()
        self._lent: dict[ExecutorRef, BorrowedTransport] = {}
        self._borrowed = False
        self._in_use: set[ExecutorRef] = set()  # executors whose kept session, if there is one, is not free
        self._lock = threading.Lock()
        self._sessions: list[WarmSession] = []
        self._closed = False

    @property
    def name(self) -> str:
        """`docker` or `process`."""
        return self._kept_runtime() if self._own is None else self._own.name

    @property
    def limits_sessions(self) -> bool:
        """Are memory limits those of whole sessions?"""
        return self._kept_runtime() == "docker" if self._own is None else self._own.limits_sessions

    def remove_orphans(self) -> None:
        """End and remove what owners that are gone have left; without any, no runtime is needed for it."""
        if next(abandoned(self._cache), None) is not None:
            self._own_runtime().remove_orphans()
        for place, kept in self._kept():
            if not kept.keeper.alive:
                place.remove()

    def _kept(self) -> list[tuple[SessionEntry, DaemonRecord]]:
        try:
            return self._places.all()
        except PermissionError as error:
            self._report(f"warm sessions are not used: {error}")
            return []

    def _kept_runtime(self) -> str:
        # Where a container is kept an engine answers, so auto is docker.
        return "docker" if self._wanted == "auto" else self._wanted

    def _own_runtime(self) -> FramedRuntime:
        with self._making:
            if self._own is None:
                name = self._kept_runtime() if self._borrowed else self._wanted
                self._own = FramedRuntime(self._cache, self._starter(name))
            return self._own

    def prepare(self, executor: ExecutorRef) -> None:
        """Borrow the kept session, or have what the executor runs in. Raises EnvironmentLacking, ConfigError."""
        self._end_outdated(executor)
        likely = self.name
        if self._borrow(executor, likely):
            return
        own = self._own_runtime()
        if own.name == likely or not self._borrow(executor, own.name):
            own.prepare(executor)

    def _end_outdated(self, executor: ExecutorRef) -> None:
        for place, kept in self._kept():
            other = kept.order.executor
            same = (other.name, other.version) == (executor.name, executor.version)
            # Another checkout may keep its own.
            if same and other.digest != executor.digest and kept.order.root == str(self._root):
                self._report(f"{executor}: its warm session is of another recipe, and ends")
                request_end(place, when_free=True)

    def _borrow(self, executor: ExecutorRef, runtime: str) -> bool:
        if executor.tools:
            return False
        place = self._places.of(executor, runtime)
        if not place.path.exists():
            return False
        lent = borrow(place, self._cache, self._keep_s)
        if lent is not None:
            self._report(f"{executor}: a warm session")
            self._lent[executor] = lent
            self._borrowed = True
        elif ask(place) is not None:
            self._report(f"{executor}: its warm session is in use")
            self._in_use.add(executor)
        return lent is not None

    def open(self, executor: ExecutorRef) -> Session:
        """The session that was borrowed, or a new one; one of an executor is kept, no more.

        Raises SessionFailed, EnvironmentLacking.
        """
        with self._lock:
            lent = self._lent.pop(executor, None)
            keep_s = None if executor in self._in_use or executor.tools or self._closed else self._keep_s
            self._in_use.add(executor)
            lost = any(session.executor == executor and session.lost for session in self._sessions)
        if lost:
            self._report(f"{executor}: its warm session is gone; a new one is started")
        if lent is not None:
            return self._opened(executor, lent)
        if keep_s is not None:
            try:
                return self.keep(executor, keep_s)
            except PermissionError as error:
                self._report(f"{executor} is not kept: {error}")
        return self._open_own(executor)

    def _open_own(self, executor: ExecutorRef) -> Session:
        own = self._own_runtime()
        own.prepare(executor)  # where a kept session was borrowed before, it has not been
        return own.open(executor)

    def keep(self, executor: ExecutorRef, idle_s: float) -> Session:
        """Start a session, of an executor without tools, that is kept, and borrow it. It must have been prepared.

        Raises SessionFailed, EnvironmentLacking; PermissionError when the cache's folder for it is not private.
        """
        runtime = self._own_runtime().name
        place = self._places.of(executor, runtime)
        self._places.make()
        order = DaemonSpec(
            executor=executor, runtime=runtime, idle_s=idle_s, root=str(self._root), cache=str(self._cache)
        )
        # Another run that began in the same moment may be first, here and in borrowing.
        start_daemon(order, place)
        lent = borrow(place, self._cache, idle_s)
        if lent is None:
            return self._open_own(executor)
        try:
            return self._opened(executor, lent)
        except SessionFailed:
            # Its keeper ends of itself, but later than a command that fails of it.
            end_failed(place, self._cache, self._starter)
            raise

    def keep_all(self, executors: list[ExecutorRef], idle_s: float) -> None:
        """Keep each of them, those that are kept already from now on. Raises as `prepare` and `keep` do."""
        own = self._own_runtime()
        missing = []
        for executor in executors:
            if executor.tools:
                tools = ", ".join(tool.label for tool in executor.tools)
                self._report(f"{executor} is not kept: it is given {tools}")
                continue
            self._end_outdated(executor)
            found = ask(self._places.of(executor, own.name), idle_s)
            if found is None or found.state == "ending":
                own.prepare(executor)
                missing.append(executor)
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="keeping") as pool:
            started = [pool.submit(self.keep, executor, idle_s) for executor in missing]
        for future in started:
            future.result()

    def _opened(self, executor: ExecutorRef, lent: BorrowedTransport) -> Session:
        def end_orphans(folders: SessionFolders) -> None:
            self._own_runtime().end_orphans(folders)

        session = WarmSession(lent, executor, end_orphans)
        with self._lock:
            self._sessions.append(session)
            closed = self._closed
        return when_ready(session, closed=closed)

    def close(self) -> None:
        """Give kept sessions back, and close the others; nothing is started any more."""
        with self._lock:
            self._closed = True
            sessions = list(self._sessions)
            unopened = list(self._lent.values())
            self._lent.clear()
        for lent in unopened:
            lent.release()
            lent.close()
        closing = [session.close for session in sessions]
        if self._own is not None:
            closing.append(self._own.close)
        # Beside one another: each waits until what its steps have left is ended.
        with ThreadPoolExecutor(max_workers=max(1, len(closing)), thread_name_prefix="closing") as pool:
            closed = [pool.submit(close) for close in closing]
        for future in closed:
            future.result()
