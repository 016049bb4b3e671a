"""Runs the steps of a build in threads; their events and ends arrive in one queue."""

from __future__ import annotations

import functools
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
from bskernel.host.lasting_threads import LastingThreads


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


class LocalWorkerPool:
    """The pool of this machine: each step runs in a session, in a daemon thread that runs no other at that time."""

    def __init__(self, store: Store, sessions: SessionPool, *, share: bool) -> None:
        """With `share`, the result of an action that another build is running is awaited and recalled."""
        self._sessions = sessions
        self._share = share
        self.events: queue.SimpleQueue[PoolEvent] = queue.SimpleQueue()
        self._runner = ActionRunner(store, sessions, lambda text: self.events.put(Notice(text=text)))
        self._threads = LastingThreads()

    @property
    def runtime_name(self) -> str:
        """The runtime's name; "none" until a step has run."""
        return self._sessions.runtime_name

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Start these executors in the background. Raises EnvironmentLacking, ConfigError."""
        self._sessions.expect(executors)

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Start a step whose executor was expected."""
        self._threads.run(functools.partial(self._work, step, action, inputs), step.label)

    def dismiss(self, executor: ExecutorRef) -> None:
        """End the executor's sessions in the background."""
        self._sessions.dismiss(executor)

    def interrupt(self) -> None:
        """Make every thread end soon; from now on nothing is remembered."""
        self._runner.interrupt()

    def _work(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        def say(event: Event) -> None:
            self.events.put(StepEvent(step=step, event=event))

        done = self._runner.run(step, action, inputs, say, share=self._share)
        self.events.put(done)
        # After the event: the next step need not wait for this.
        self._runner.recycle(done)


__all__ = ["Completion", "LocalWorkerPool", "Notice", "PoolEvent", "StepEvent", "WorkerPool"]
