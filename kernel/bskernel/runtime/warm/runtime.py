"""A runtime that uses warm sessions where they exist and opens its own where they do not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bskernel.core.interfaces import Session, SessionFailed
from bskernel.core.step import ExecutorRef
from bskernel.host.side_by_side import run_side_by_side
from bskernel.runtime.orphans import remove_orphans
from bskernel.runtime.session import FramedRuntime, Starter, wait_ready
from bskernel.runtime.session_dirs import SessionFolders
from bskernel.runtime.warm.client import BorrowedTransport, borrow, request_end, request_status
from bskernel.runtime.warm.launcher import start_daemon
from bskernel.runtime.warm.messages import DaemonRecord, DaemonSpec
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry
from bskernel.runtime.warm.session import WarmSession
from bskernel.runtime.warm.status import end_failed


class WarmRuntime:
    """Borrows warm sessions and starts the others; it creates its own runtime when first needed.

    Executors with installed tools are never kept warm, because they may hold a licence and have network access, nor
    are those that run code of the user's, because no other build may depend on what that does.
    `recipes` are folders of recipes besides those of `root`. `runtime` is the runtime's name, or auto. With `keep_s`,
    sessions that the run starts stay warm for that many seconds of idle time.
    """

    def __init__(
        self,
        cache: Path,
        root: Path,
        runtime: str,
        starter: Callable[[str], Starter],
        report: Callable[[str], None],
        keep_s: float | None = None,
        recipes: tuple[Path, ...] = (),
        see_engine: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """`see_engine` hears facts about the engine that runs a borrowed session."""
        self._cache = cache
        self._root = root.resolve()  # daemons run in another folder
        self._recipes = tuple(str(folder) for folder in recipes)
        self._requested = runtime
        self._starter = starter
        self._see_engine = see_engine
        self._report = report
        self._keep_s = keep_s
        self._registry = SessionRegistry(cache)
        self._own: FramedRuntime | None = None
        self._creating = threading.Lock()
        self._leases: dict[ExecutorRef, BorrowedTransport] = {}
        self._borrowed = False
        self._in_use: set[ExecutorRef] = set()  # executors whose warm session, if any, is not free
        self._lock = threading.Lock()
        self._sessions: list[WarmSession] = []
        self._closed = False

    @property
    def name(self) -> str:
        """`docker` or `process`."""
        return self._warm_runtime_name() if self._own is None else self._own.name

    @property
    def limits_sessions(self) -> bool:
        """True when a memory limit applies to the whole session."""
        return self._warm_runtime_name() == "docker" if self._own is None else self._own.limits_sessions

    def remove_orphans(self) -> None:
        """End and remove the sessions of owners that have died."""
        remove_orphans(self._cache)
        for entry, record in self._records():
            if not record.keeper.alive:
                entry.remove()

    def _records(self) -> list[tuple[SessionEntry, DaemonRecord]]:
        try:
            return self._registry.all()
        except PermissionError as error:
            self._report(f"warm sessions are not used: {error}")
            return []

    def _warm_runtime_name(self) -> str:
        # If a container is kept warm, an engine answers, so auto means docker.
        return "docker" if self._requested == "auto" else self._requested

    def _own_runtime(self) -> FramedRuntime:
        with self._creating:
            if self._own is None:
                name = self._warm_runtime_name() if self._borrowed else self._requested
                self._own = FramedRuntime(self._cache, self._starter(name))
            return self._own

    def prepare(self, executor: ExecutorRef) -> None:
        """Borrow the warm session, or make what the executor runs in. Raises EnvironmentLacking, ConfigError."""
        self._end_outdated(executor)
        likely = self.name
        if self._borrow(executor, likely):
            return
        own = self._own_runtime()
        if own.name == likely or not self._borrow(executor, own.name):
            own.prepare(executor)

    def _end_outdated(self, executor: ExecutorRef) -> None:
        for entry, record in self._records():
            other = record.order.executor
            same = (other.name, other.version) == (executor.name, executor.version)
            # Another checkout may have its own warm session, and so may a project with its own recipes.
            place = (record.order.root, record.order.recipes)
            if same and other.digest != executor.digest and place == (str(self._root), self._recipes):
                self._report(f"{executor}: ending its warm session, which belongs to another recipe")
                request_end(entry, when_free=True)

    def _borrow(self, executor: ExecutorRef, runtime: str) -> bool:
        if executor.tools or executor.for_user_code:
            return False
        entry = self._registry.entry(executor, runtime)
        if not entry.path.exists():
            return False
        borrowed = borrow(entry, self._cache, self._keep_s)
        if borrowed is not None:
            self._report(f"{executor}: using a warm session")
            self._leases[executor] = borrowed
            self._borrowed = True
            if (record := entry.read()) is not None and record.engine is not None:
                self._see_engine(record.engine)
        elif (status := request_status(entry)) is not None:
            stopped = status.state == "stopped"
            why = "was stopped by a signal: `bskernel down` ends it" if stopped else "is in use"
            self._report(f"{executor}: its warm session {why}")
            self._in_use.add(executor)
        return borrowed is not None

    def open(self, executor: ExecutorRef) -> Session:
        """The borrowed session, or a new one, kept warm if it is the executor's first in this run.

        Raises SessionFailed, EnvironmentLacking.
        """
        with self._lock:
            borrowed = self._leases.pop(executor, None)
            lasting = not (executor in self._in_use or executor.tools or executor.for_user_code or self._closed)
            keep_s = self._keep_s if lasting else None
            self._in_use.add(executor)
            lost = any(session.executor == executor and session.lost for session in self._sessions)
        if lost:
            self._report(f"{executor}: its warm session is gone; a new one is started")
        if borrowed is not None:
            return self._connect(executor, borrowed)
        if keep_s is not None:
            try:
                return self._start_warm(executor, keep_s)
            except PermissionError as error:
                self._report(f"{executor} is not kept warm: {error}")
        return self._open_own(executor)

    def _open_own(self, executor: ExecutorRef) -> Session:
        own = self._own_runtime()
        own.prepare(executor)  # not done yet if a warm session was borrowed before
        return own.open(executor)

    def _start_warm(self, executor: ExecutorRef, idle_s: float) -> Session:
        """Start a warm session of a prepared executor without tools, and borrow it.

        Raises SessionFailed, EnvironmentLacking; PermissionError when the cache's folder for warm sessions is not
        private.
        """
        runtime = self._own_runtime().name
        entry = self._registry.entry(executor, runtime)
        self._registry.create()
        spec = DaemonSpec(
            executor=executor,
            runtime=runtime,
            idle_s=idle_s,
            root=str(self._root),
            recipes=self._recipes,
            cache=str(self._cache),
        )
        # Another run may start the daemon first, and may also borrow the session first.
        start_daemon(spec, entry)
        borrowed = borrow(entry, self._cache, idle_s)
        if borrowed is None:
            return self._open_own(executor)
        try:
            return self._connect(executor, borrowed)
        except SessionFailed:
            # The daemon would end by itself, but only after the command that fails.
            end_failed(entry, self._cache, self._starter)
            raise

    def keep_all(self, executors: list[ExecutorRef], idle_s: float) -> None:
        """Keep a session of each executor warm for `idle_s` seconds of idle time, from now on.

        Raises SessionFailed, EnvironmentLacking, ConfigError; PermissionError when the cache's folder for warm
        sessions is not private.
        """
        own = self._own_runtime()
        missing = []
        for executor in executors:
            if executor.tools:
                tools = ", ".join(tool.label for tool in executor.tools)
                self._report(f"{executor} is not kept warm: it uses {tools}")
                continue
            self._end_outdated(executor)
            status = request_status(self._registry.entry(executor, own.name), idle_s)
            if status is None or status.state == "ending":
                own.prepare(executor)
                missing.append(executor)
        run_side_by_side([partial(self._start_warm, executor, idle_s) for executor in missing], at_once=4)

    def _connect(self, executor: ExecutorRef, borrowed: BorrowedTransport) -> Session:
        def end_orphans(folders: SessionFolders) -> None:
            self._own_runtime().end_orphans(folders)

        session = WarmSession(borrowed, executor, end_orphans)
        with self._lock:
            self._sessions.append(session)
            closed = self._closed
        return wait_ready(session, closed=closed)

    def close(self) -> None:
        """Return warm sessions and close the others; no session starts after this."""
        with self._lock:
            self._closed = True
            sessions = list(self._sessions)
            unopened = list(self._leases.values())
            self._leases.clear()
        for borrowed in unopened:
            borrowed.release()
            borrowed.close()
        closing = [session.close for session in sessions]
        if self._own is not None:
            closing.append(self._own.close)
        # In parallel: each waits until the leftovers of its steps have ended.
        run_side_by_side(closing)
