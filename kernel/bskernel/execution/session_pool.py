"""The sessions of a build, and which steps share one."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec

from bskernel.core.interfaces import Runtime, Session
from bskernel.core.step import ExecutorRef, Step
from bskernel.host.thread import Thread

_OWN_PROCESSES = "BSKERNEL_OWN_PROCESSES"  # if it is set, each step has a process of its own


class PoolStopped(Exception):  # noqa: N818 - an interrupt, no error
    """The pool leases no more sessions."""


class SessionLease(msgspec.Struct, eq=False, kw_only=True):
    """A step's use of a session."""

    alone: bool
    given: Session | None = None  # set once the session is ready
    shared: bool = False  # other steps ran in the session too: they may have ended it
    crowded: bool = False  # other steps ran within the same memory limit: they may have used it up
    slot: str = ""  # the folder of steps that one process of the session may run, one after another; "" for none
    follows: bool = False  # other steps ran in the slot: what they left in its process may be to blame

    @property
    def session(self) -> Session:
        """The leased session."""
        if self.given is None:
            raise ValueError("the session is not ready")
        return self.given


class _PooledSession(msgspec.Struct, eq=False):
    """A session that is starting, running, or the reason why it did not start."""

    session: Session | None = None
    error: BaseException | None = None
    leases: list[SessionLease] = []
    free_slots: list[str] = []  # the last one is the one that was used last
    slots: int = 0  # that there are

    @property
    def settled(self) -> bool:
        """True when it has started, or failed to."""
        return self.session is not None or self.error is not None

    @property
    def gone(self) -> bool:
        """True when it has started and ended."""
        return self.session is not None and self.session.over


class SessionPool:
    """Starts each session once, when a step needs it now or soon, and replaces one that has ended.

    At most as many start at once as there are processors, in the order of need: they import for seconds. Steps of one
    executor share a session. Where a memory limit applies to a whole session, a step with a limit has its session to
    itself.

    Steps that run one after another also share a slot: an executor that reuses processes runs them in one. Not so
    with code of the user's, tools or a limit of memory; nor with steps of another pool, in a session that is kept.
    """

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._make_runtime = runtime
        self._runtime: Runtime | None = None
        self._changed = threading.Condition()  # guards the attributes below
        self._opened: dict[ExecutorRef, list[_PooledSession]] = {}
        self._stopped = False  # no session is leased any more
        self._closed = False  # no session starts any more
        self._starting = threading.Semaphore(max(2, len(os.sched_getaffinity(0))))
        self._threads: list[threading.Thread] = []
        self._held_open = threading.Lock()
        self._ending: list[threading.Thread] = []  # of sessions that no step needs any more
        self._not_ended: list[BaseException] = []
        self._slots_name = f"slot-{os.urandom(4).hex()}"
        self._own_processes = bool(os.environ.get(_OWN_PROCESSES))

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Start these executors in the background. Raises EnvironmentLacking, ConfigError."""
        # A build whose steps are all recalled needs no runtime.
        self._runtime = self._runtime or self._make_runtime()
        new = [executor for executor in dict.fromkeys(executors) if executor not in self._opened]
        for executor in new:
            # In this thread: making an environment takes minutes, so it must report progress and be interruptible.
            self._runtime.prepare(executor)
        with self._changed:
            for executor in new:
                self._opened[executor] = [self._open(executor)]

    def _open(self, executor: ExecutorRef) -> _PooledSession:
        if self._runtime is None:
            raise ValueError("no session was expected")
        opened = _PooledSession()
        thread = Thread(
            target=self._start, args=(self._runtime, executor, opened), name=f"session of {executor}", daemon=True
        )
        self._threads.append(thread)
        thread.start()
        return opened

    def _start(self, runtime: Runtime, executor: ExecutorRef, opened: _PooledSession) -> None:
        session, error = None, None
        try:
            with self._starting:
                if self._closed:
                    raise PoolStopped
                session = runtime.open(executor)
        except BaseException as raised:  # noqa: BLE001 - raised again in the thread that leases the session
            error = raised
        with self._changed:
            opened.session, opened.error = session, error
            self._changed.notify_all()

    @contextlib.contextmanager
    def lease(self, step: Step, *, own_process: bool = False) -> Iterator[SessionLease]:
        """Lease a session for a step whose executor was expected; waits until it is ready. From any thread.

        With `own_process` it has no slot.

        Raises SessionFailed, EnvironmentLacking; PoolStopped once the build is interrupted.
        """
        confined = self._runtime is not None and self._runtime.limits_sessions
        lease = SessionLease(alone=confined and step.memory_mib is not None)
        with self._changed:
            opened = self._free(step.executor, lease.alone)
            for other in opened.leases:
                other.shared = lease.shared = True
            for other in opened.leases if confined else self._all_leases():
                other.crowded = lease.crowded = True
            opened.leases.append(lease)
            if not own_process and self._may_share_process(step):
                self._give_slot(lease, opened)
        try:
            lease.given = self._ready(opened)
            yield lease
        finally:
            with self._changed:
                opened.leases.remove(lease)
                if lease.slot:
                    opened.free_slots.append(lease.slot)
                self._changed.notify_all()

    def _may_share_process(self, step: Step) -> bool:
        executor = step.executor
        alone = executor.for_user_code or executor.tools or step.memory_mib is not None
        return not (alone or self._own_processes)

    def _give_slot(self, lease: SessionLease, opened: _PooledSession) -> None:
        lease.follows = bool(opened.free_slots)
        if lease.follows:
            lease.slot = opened.free_slots.pop()
        else:
            opened.slots += 1
            lease.slot = f"{self._slots_name}-{opened.slots}/steps"

    def _free(self, executor: ExecutorRef, alone: bool) -> _PooledSession:
        known = [opened for opened in self._opened[executor] if not opened.gone]
        self._opened[executor] = known
        for opened in known:
            if not opened.leases or not (alone or opened.leases[0].alone):
                return opened
        known.append(self._open(executor))
        return known[-1]

    def _all_leases(self) -> list[SessionLease]:
        return [lease for known in self._opened.values() for opened in known for lease in opened.leases]

    def _ready(self, opened: _PooledSession) -> Session:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or opened.settled)
            if self._stopped:
                raise PoolStopped
        if opened.session is None:
            raise opened.error or PoolStopped
        return opened.session

    @contextlib.contextmanager
    def held_open(self, executor: ExecutorRef) -> Iterator[bool]:
        """True when the executor's sessions are open; they and their folders then stay open during the context."""
        with self._held_open:
            yield not self._closed and executor in self._opened

    def dismiss(self, executor: ExecutorRef) -> None:
        """End the executor's sessions in the background: no step that follows needs them."""
        with self._held_open, self._changed:
            known = self._opened.pop(executor, [])
        if known and not self._closed:
            thread = Thread(target=self._end, args=(known,), name=f"end of {executor}", daemon=True)
            self._ending.append(thread)
            thread.start()

    def _end(self, known: Sequence[_PooledSession]) -> None:
        try:
            for opened in known:
                with self._changed:
                    while opened.leases or not opened.settled:
                        self._changed.wait()
                if opened.session is not None:
                    opened.session.close()
        except BaseException as raised:  # noqa: BLE001 - raised again in the thread that closes the pool
            self._not_ended.append(raised)

    @property
    def runtime_name(self) -> str:
        """The runtime's name; "none" when no step ran."""
        return self._runtime.name if self._runtime is not None else "none"

    def interrupt(self) -> None:
        """Make every wait for a session or a step return at once; running steps end with `close`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            sessions = [opened.session for known in self._opened.values() for opened in known]
        for session in sessions:
            if session is not None:
                session.interrupt()

    def close(self) -> None:
        """Close all sessions, including those still starting."""
        self._closed = True
        with self._held_open:
            pass  # wait until nobody uses their folders
        if self._runtime is not None:
            self._runtime.close()
        for thread in (*self._threads, *self._ending):
            thread.join()
        if self._not_ended:
            raise self._not_ended[0]
