"""Who carries out the steps of a build; what they say and how they end comes through one queue."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec
from bskernel_protocol import Artifact, Event, Failure, Progress

from bskernel.action import Action, ActionResult
from bskernel.carry_out import Carried, give_back, run_in_session
from bskernel.errors import EnvironmentLacking
from bskernel.ports import SessionFailed, Store
from bskernel.sessions import Lease, Sessions, Stopped
from bskernel.step import ExecutorRef, Step

_LOOK_AGAIN_S = 0.05  # at an action that another build carries out
_NOTHING = Carried(result=None, failure=None, log=b"")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a running step says."""

    step: Step
    event: Event


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How a step's thread ended; without result and failure the build was interrupted."""

    step: Step
    seconds: float = 0.0
    carried: Carried = _NOTHING
    recalled: bool = False  # another build has made it meanwhile
    doubtful: bool = False  # what it failed of may be the doing of steps beside it
    error: Exception | None = None  # what must not happen, to be raised where the build is carried out


class Crew(Protocol):
    """Carries out steps, on this machine or on others."""

    @property
    def said(self) -> queue.SimpleQueue[Said | Done]:
        """What running steps say, and of each once how it ended."""

    @property
    def runtime_name(self) -> str:
        """Where steps run; "none" as long as none did."""

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Steps of these executors will begin soon. Raises EnvironmentLacking, ConfigError."""

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Begin a step whose executor was expected, without waiting for it."""

    def interrupt(self) -> None:
        """Let every step end soon; nothing is remembered any more."""


class Workers:
    """The crew on this machine: it begins steps in sessions, each in a thread that nobody has to wait for."""

    def __init__(self, store: Store, sessions: Sessions, *, share: bool) -> None:
        """With `share`, what another build carries out now is waited for and recalled."""
        self._store = store
        self._sessions = sessions
        self._share = share
        self._stopping = threading.Event()
        self.said: queue.SimpleQueue[Said | Done] = queue.SimpleQueue()

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
        self._stopping.set()
        self._sessions.interrupt()

    def _work(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        try:
            done = self._carried_out(step, action, inputs)
        except SessionFailed as error:
            done = Done(step=step, carried=_failed(error.failure))
        except EnvironmentLacking as error:
            failure = Failure(category="environment", message=error.message, hint=error.hint)
            done = Done(step=step, carried=_failed(failure))
        except Stopped:
            done = Done(step=step)
        except Exception as error:  # noqa: BLE001 - raised again where the build is carried out
            done = Done(step=step, error=error)
        self.said.put(done)
        # Not before: what comes next need not wait for it.
        if done.carried.used is not None:
            with self._sessions.held_open() as are_open:
                if are_open:
                    give_back(done.carried.used)

    def _carried_out(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> Done:
        began = time.monotonic()
        with self._claimed(step, action) as known:
            if known is not None:
                log = (self._store.get(known.log) if known.log is not None else None) or b""
                carried = Carried(result=known, failure=None, log=log)
                return Done(step=step, carried=carried, recalled=True, seconds=time.monotonic() - began)
            lost = True
            while lost:
                with self._sessions.lease(step) as lease:
                    # A step's time is its own: environments, images and imports are made for all steps.
                    began = time.monotonic()
                    carried = run_in_session(
                        step, inputs, self._store, lease.session, lambda event: self._say(step, event)
                    )
                    doubtful, lost = _doubtful(carried, lease), carried.lost
            if self._stopping.is_set() and carried.result is not None:
                # Its folder may have been removed while its outputs were captured.
                carried = msgspec.structs.replace(carried, result=None)
            if carried.result is not None:
                self._store.remember(action, carried.result)
            return Done(step=step, carried=carried, doubtful=doubtful, seconds=time.monotonic() - began)

    def _say(self, step: Step, event: Event) -> None:
        self.said.put(Said(step=step, event=event))

    @contextlib.contextmanager
    def _claimed(self, step: Step, action: Action) -> Iterator[ActionResult | None]:
        """Once no other build carries out the action: what it made, or None, and it is ours to carry out."""
        if not self._share:
            yield None
            return
        told = False
        while True:
            with self._store.claim(action) as claimed:
                if claimed:
                    yield self._store.recall(action)
                    return
            if not told:
                told = True
                self._say(step, Progress(directory=step.label, text="waits for another build that does the same"))
            if self._stopping.wait(_LOOK_AGAIN_S):
                raise Stopped


def _failed(failure: Failure) -> Carried:
    return msgspec.structs.replace(_NOTHING, failure=failure)


def _doubtful(carried: Carried, lease: Lease) -> bool:
    """Did it fail of what a step beside it may have done: end the session, or use up the memory?"""
    if carried.failure is None:
        return False
    return (carried.session_over and lease.shared) or (carried.oom_kills > 0 and lease.crowded)
