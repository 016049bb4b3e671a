"""Who carries out the steps of a build; what they say and how they end comes through one queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec
from bskernel_protocol import Artifact, Event

from bskernel.core.action import Action
from bskernel.core.interfaces import Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.action_runner import ActionRunner, Completion
from bskernel.execution.session_pool import SessionPool


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a running step says."""

    step: Step
    event: Event


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something beside the steps that the crew has noticed."""

    text: str


PoolEvent: TypeAlias = StepEvent | Notice | Completion


class WorkerPool(Protocol):
    """Carries out steps, on this machine or on others."""

    @property
    def events(self) -> queue.SimpleQueue[PoolEvent]:
        """What running steps say, and of each once how it ended; and what is noticed beside them."""

    @property
    def runtime_name(self) -> str:
        """Where steps run; "none" as long as none did."""

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Steps of these executors will begin soon. Raises EnvironmentLacking, ConfigError."""

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Begin a step whose executor was expected, without waiting for it."""

    def interrupt(self) -> None:
        """Let every step end soon; nothing is remembered any more."""


class LocalWorkerPool:
    """The crew on this machine: it begins steps in sessions, each in a thread that nobody has to wait for."""

    def __init__(self, store: Store, sessions: SessionPool, *, share: bool) -> None:
        """With `share`, what another build carries out now is waited for and recalled."""
        self._sessions = sessions
        self._share = share
        self._runner = ActionRunner(store, sessions)
        self.events: queue.SimpleQueue[PoolEvent] = queue.SimpleQueue()

    @property
    def runtime_name(self) -> str:
        """The runtime's name; "none" when no step ran."""
        return self._sessions.runtime_name

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Start these executors in the background. Raises EnvironmentLacking, ConfigError."""
        self._sessions.expect(executors)

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Begin a step whose executor was expected."""
        work = threading.Thread(target=self._work, args=(step, action, inputs), name=step.label, daemon=True)
        work.start()

    def interrupt(self) -> None:
        """Let every thread end soon; nothing is remembered any more."""
        self._runner.interrupt()

    def _work(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        def say(event: Event) -> None:
            self.events.put(StepEvent(step=step, event=event))

        done = self._runner.run(step, action, inputs, say, share=self._share)
        self.events.put(done)
        # Not before: what comes next need not wait for it.
        self._runner.recycle(done)


__all__ = ["Completion", "LocalWorkerPool", "Notice", "PoolEvent", "StepEvent", "WorkerPool"]
