"""A workspace whose sessions outlive its builds: a test process imports FINN once, not once for each build.

Only where no test is about how sessions begin and end: that is what `cli` and a Workspace of a test's own are for.
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeAlias

from bskernel.core.interfaces import Session, SessionEnded
from bskernel.core.step import ExecutorRef
from bskernel.runtime.orphans import remove_orphans
from bskernel.runtime.session import FramedRuntime
from bskernel.runtime.warm.runtime import WarmRuntime
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import Event

# The runtime and the executor, whose digest is another one when its code, lock or settings are.
Kind: TypeAlias = tuple[str, ExecutorRef]


class IdleSessions:
    """Sessions that no build has, each for the next build that opens one of its kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Kind, list[Session]] = defaultdict(list)

    def take(self, kind: Kind) -> Session | None:
        """A session that still runs; None if there is none."""
        with self._lock:
            found = self._idle[kind]
            while found:
                session = found.pop()
                if not session.over:
                    return session
                session.close()
        return None

    def keep(self, kind: Kind, session: Session) -> None:
        """Keep a session, unless there is one of its kind already."""
        with self._lock:
            if not self._idle[kind]:
                self._idle[kind].append(session)
                return
        session.close()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            found = [session for sessions in self._idle.values() for session in sessions]
            self._idle.clear()
        for session in found:
            session.close()


class LentSession:
    """A session as one build has it: closing it hands it on, unless the build may have left something in it."""

    def __init__(self, session: Session, hand_on: Callable[[Session], None]) -> None:
        self._session = session
        self._hand_on = hand_on
        self._lock = threading.Lock()
        self._running = 0
        self._disturbed = self._closed = False

    @property
    def root(self) -> Path:
        return self._session.root

    @property
    def inputs_root(self) -> Path:
        return self._session.inputs_root

    @property
    def seals_inputs(self) -> bool:
        return self._session.seals_inputs

    @property
    def over(self) -> bool:
        return self._session.over

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        with self._lock:
            self._running += 1
        try:
            return self._session.run(directory, timeout_s=timeout_s, memory_mib=memory_mib, on_event=on_event)
        finally:
            with self._lock:
                self._running -= 1

    def cancel(self, directory: str) -> None:
        self._disturbed = True
        self._session.cancel(directory)

    def interrupt(self) -> None:
        self._disturbed = True
        self._session.interrupt()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sound = not (self._disturbed or self._running or self._session.over)
        if sound:
            self._hand_on(self._session)
        else:
            self._session.close()


class LastingRuntime:
    """The runtime of one build: opens a session only where none is idle, and leaves those of the build to others."""

    def __init__(self, runtime: FramedRuntime, idle: IdleSessions) -> None:
        self._runtime = runtime
        self._idle = idle
        self._lock = threading.Lock()
        self._lent: list[LentSession] = []
        self._closed = False
        self.name = runtime.name
        self.limits_sessions = runtime.limits_sessions

    def prepare(self, executor: ExecutorRef) -> None:
        self._runtime.prepare(executor)

    def open(self, executor: ExecutorRef) -> Session:
        # As with warm sessions: tools may hold a licence, and no other build may depend on code of the user's.
        lasts = not (executor.tools or executor.for_user_code)
        kind = (self.name, executor)
        session = (self._idle.take(kind) if lasts else None) or self._runtime.open(executor)
        lent = LentSession(session, lambda found: self._idle.keep(kind, found) if lasts else found.close())
        with self._lock:
            self._lent.append(lent)
            closed = self._closed
        if closed:
            lent.close()
        return lent

    def close(self) -> None:
        with self._lock:
            self._closed = True
            lent = list(self._lent)
        for session in lent:
            session.close()


class LastingWorkspace(Workspace):
    """bskernel, whose builds hand their sessions on to later ones."""

    def __init__(self, root: Path, cache: Path) -> None:
        super().__init__(root, cache)
        self._idle = IdleSessions()

    def runtime(self, name: str, report: Callable[[str], None], keep_s: float | None = None) -> WarmRuntime:
        if name == "auto" or keep_s is not None:
            return super().runtime(name, report, keep_s)
        remove_orphans(self.cache)
        return LastingRuntime(FramedRuntime(self.cache, self.starter(name, report)), self._idle)  # type: ignore[return-value]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._idle.close()
