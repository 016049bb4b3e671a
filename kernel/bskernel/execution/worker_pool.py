"""Runs the steps of a build in threads; their events and ends arrive in one queue."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec
from bskernel_protocol import Artifact, Event

from bskernel.core.action import Action
from bskernel.core.interfaces import Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.action_runner import ActionRunner, Completion
from bskernel.execution.lookup import LookedUp
from bskernel.execution.session_pool import SessionPool
from bskernel.host.thread import Thread


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a running step."""

    step: Step
    event: Event


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A remark of the pool that concerns no single step."""

    text: str


PoolEvent: TypeAlias = StepEvent | Notice | Completion | LookedUp


class WorkerPool(Protocol):
    """Runs steps, on this machine or on others."""

    @property
    def events(self) -> queue.SimpleQueue[PoolEvent]:
        """Events of running steps, one Completion for each step, and notices."""

    @property
    def runtime_name(self) -> str:
        """The runtime's name; "none" until a step has run."""

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Get ready for steps of these executors. Raises EnvironmentLacking, ConfigError."""

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Start a step whose executor was expected; does not wait for it."""

    def dismiss(self, executor: ExecutorRef) -> None:
        """No step of this executor follows: what runs it may end."""

    def interrupt(self) -> None:
        """Make every step end soon; from now on nothing is remembered."""


_IDLE_S = 1.0  # how long a thread without a step stays for the next one
_Job: TypeAlias = "tuple[Step, Action, dict[str, Artifact]]"


class LocalWorkerPool:
    """The pool of this machine: each step runs in a session, in a daemon thread that runs no other at that time."""

    def __init__(self, store: Store, sessions: SessionPool, *, share: bool) -> None:
        """With `share`, the result of an action that another build is running is awaited and recalled."""
        self._sessions = sessions
        self._share = share
        self.events: queue.SimpleQueue[PoolEvent] = queue.SimpleQueue()
        self._runner = ActionRunner(store, sessions, lambda text: self.events.put(Notice(text=text)))
        self._idle: list[queue.SimpleQueue[_Job]] = []  # where threads without a step wait for one

    @property
    def runtime_name(self) -> str:
        """The runtime's name; "none" until a step has run."""
        return self._sessions.runtime_name

    @property
    def idle_threads(self) -> int:
        """How many threads wait for a step."""
        return len(self._idle)

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Start these executors in the background. Raises EnvironmentLacking, ConfigError."""
        self._sessions.expect(executors)

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Start a step whose executor was expected."""
        try:
            self._idle.pop().put((step, action, inputs))
        except IndexError:
            # Starting one takes longer than handing over a step: this thread waits for its first sign of life.
            Thread(target=self._serve, args=(step, action, inputs), name=step.label, daemon=True).start()

    def dismiss(self, executor: ExecutorRef) -> None:
        """End the executor's sessions in the background."""
        self._sessions.dismiss(executor)

    def interrupt(self) -> None:
        """Make every thread end soon; from now on nothing is remembered."""
        self._runner.interrupt()

    def _serve(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        while True:
            self._work(step, action, inputs)
            self._idle.append(jobs)
            try:
                step, action, inputs = jobs.get(timeout=_IDLE_S)
            except queue.Empty:
                try:
                    self._idle.remove(jobs)
                except ValueError:  # a step is on its way
                    step, action, inputs = jobs.get()
                else:
                    return

    def _work(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        def say(event: Event) -> None:
            self.events.put(StepEvent(step=step, event=event))

        done = self._runner.run(step, action, inputs, say, share=self._share)
        self.events.put(done)
        # After the event: the next step need not wait for this.
        self._runner.recycle(done)


__all__ = ["Completion", "LocalWorkerPool", "Notice", "PoolEvent", "StepEvent", "WorkerPool"]
