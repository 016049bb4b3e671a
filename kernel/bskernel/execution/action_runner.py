"""Where actions are carried out, alone or beside one another: a store, and sessions that all of them share."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import msgspec
from bskernel_protocol import Artifact, Event, Failure, Progress

from bskernel.core.action import Action, ActionResult
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import SessionFailed, Store
from bskernel.core.runtime_failures import lacking
from bskernel.core.step import Step
from bskernel.execution.session_pool import Lease, Sessions, Stopped
from bskernel.execution.step_inputs import log_of
from bskernel.execution.step_runner import Carried, give_back, run_in_session

_LOOK_AGAIN_S = 0.05  # at an action that another build carries out
_NOTHING = Carried(result=None, failure=None, log=b"")


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended; without result and failure it was interrupted."""

    step: Step
    seconds: float = 0.0
    carried: Carried = _NOTHING
    recalled: bool = False  # another build has made it meanwhile
    doubtful: bool = False  # what it failed of may be the doing of steps beside it
    error: Exception | None = None  # what must not happen, to be raised where the build is carried out


class Halt:
    """Ends one step, wherever it is: told from any thread, before it begins or while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self.told = False

    def tell(self) -> None:
        """Let the step end; returns at once."""
        with self._lock:
            self.told = True
            if self._end is not None:
                self._end()

    @contextlib.contextmanager
    def ending_by(self, end: Callable[[], None]) -> Iterator[None]:
        """For the time of the context, what ends the step. Raises Stopped when it is to end already."""
        with self._lock:
            if self.told:
                raise Stopped
            self._end = end
        try:
            yield
        finally:
            with self._lock:
                self._end = None


class Workshop:
    """Carries out actions in whatever thread asks, each once: one that another process carries out is waited for."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions
        self._stopping = threading.Event()

    def carry_out(
        self,
        step: Step,
        action: Action,
        inputs: dict[str, Artifact],
        say: Callable[[Event], None],
        *,
        share: bool,
        halt: Halt | None = None,
        folder: str | None = None,
    ) -> Done:
        """Carry out a step whose executor was expected; never raises.

        With `share`, what was made meanwhile, or another build makes now, is recalled. `folder` is the step's in its
        session, where its label alone does not tell it from others.
        """
        try:
            return self._carried_out(step, action, inputs, say, share, halt or Halt(), folder or step.label)
        except SessionFailed as error:
            return Done(step=step, carried=failed(error.failure))
        except EnvironmentLacking as error:
            return Done(step=step, carried=failed(lacking(error)))
        except Stopped:
            return Done(step=step)
        except Exception as error:  # noqa: BLE001 - raised again where the build is carried out
            return Done(step=step, error=error)

    def give_back(self, done: Done) -> None:
        """Let the folders that a step has used be used again."""
        if done.carried.used is None:
            return
        with self._sessions.held_open() as are_open:
            if are_open:
                give_back(done.carried.used)

    def recall(self, step: Step, action: Action) -> Done | None:
        """The step, if it was made already: then no executor need be expected."""
        began = time.monotonic()
        known = self._store.recall(action)
        return self._recalled(step, known, began) if known is not None else None

    def _recalled(self, step: Step, known: ActionResult, began: float) -> Done:
        log = log_of(known.log, self._store)
        carried = Carried(result=known, failure=None, log=log)
        return Done(step=step, carried=carried, recalled=True, seconds=time.monotonic() - began)

    def interrupt(self) -> None:
        """Let every step end soon; nothing is remembered any more."""
        self._stopping.set()
        self._sessions.interrupt()

    def _carried_out(
        self,
        step: Step,
        action: Action,
        inputs: dict[str, Artifact],
        say: Callable[[Event], None],
        share: bool,
        halt: Halt,
        folder: str,
    ) -> Done:
        began = time.monotonic()
        with self._claimed(step, action, say, share, halt) as known:
            if known is not None:
                return self._recalled(step, known, began)
            lost = True
            while lost:
                with self._sessions.lease(step) as lease, halt.ending_by(lambda: lease.session.cancel(folder)):
                    # A step's time is its own: environments, images and imports are made for all steps.
                    began = time.monotonic()
                    carried = run_in_session(step, inputs, self._store, lease.session, say, folder)
                    doubtful, lost = _doubtful(carried, lease), carried.lost
            if self._stopping.is_set() and carried.result is not None:
                # Its folder may have been removed while its outputs were captured.
                carried = msgspec.structs.replace(carried, result=None)
            if carried.result is not None:
                self._store.remember(action, carried.result)
            return Done(step=step, carried=carried, doubtful=doubtful, seconds=time.monotonic() - began)

    @contextlib.contextmanager
    def _claimed(
        self, step: Step, action: Action, say: Callable[[Event], None], share: bool, halt: Halt
    ) -> Iterator[ActionResult | None]:
        """Once no other build carries out the action: what it made, or None, and it is ours to carry out."""
        if not share:
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
                say(Progress(directory=step.label, text="waits for another build that does the same"))
            if self._stopping.wait(_LOOK_AGAIN_S) or halt.told:
                raise Stopped


def failed(failure: Failure) -> Carried:
    """What a step comes to that failed before it began."""
    return msgspec.structs.replace(_NOTHING, failure=failure)


def _doubtful(carried: Carried, lease: Lease) -> bool:
    """Did it fail of what a step beside it may have done: end the session, or use up the memory?"""
    if carried.failure is None:
        return False
    return (carried.session_over and lease.shared) or (carried.oom_kills > 0 and lease.crowded)
