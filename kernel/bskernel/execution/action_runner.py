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
from bskernel.core.runtime_failures import environment_failure
from bskernel.core.step import Step
from bskernel.execution.session_pool import PoolStopped, SessionLease, SessionPool
from bskernel.execution.step_inputs import read_log
from bskernel.execution.step_runner import StepOutcome, recycle, run_step

_LOOK_AGAIN_S = 0.05  # at an action that another build carries out
_NOTHING = StepOutcome(result=None, failure=None, log=b"")


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended; without result and failure it was interrupted."""

    step: Step
    seconds: float = 0.0
    outcome: StepOutcome = _NOTHING
    recalled: bool = False  # another build has made it meanwhile
    doubtful: bool = False  # what it failed of may be the doing of steps beside it
    error: Exception | None = None  # what must not happen, to be raised where the build is carried out


class CancelToken:
    """Ends one step, wherever it is: told from any thread, before it begins or while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Let the step end; returns at once."""
        with self._lock:
            self.cancelled = True
            if self._end is not None:
                self._end()

    @contextlib.contextmanager
    def on_cancel(self, end: Callable[[], None]) -> Iterator[None]:
        """For the time of the context, what ends the step. Raises Stopped when it is to end already."""
        with self._lock:
            if self.cancelled:
                raise PoolStopped
            self._end = end
        try:
            yield
        finally:
            with self._lock:
                self._end = None


class ActionRunner:
    """Carries out actions in whatever thread asks, each once: one that another process carries out is waited for."""

    def __init__(self, store: Store, sessions: SessionPool) -> None:
        self._store = store
        self._sessions = sessions
        self._stopping = threading.Event()

    def run(
        self,
        step: Step,
        action: Action,
        inputs: dict[str, Artifact],
        say: Callable[[Event], None],
        *,
        share: bool,
        cancel_token: CancelToken | None = None,
        folder: str | None = None,
    ) -> Completion:
        """Carry out a step whose executor was expected; never raises.

        With `share`, what was made meanwhile, or another build makes now, is recalled. `folder` is the step's in its
        session, where its label alone does not tell it from others.
        """
        try:
            return self._run_claimed(
                step, action, inputs, say, share, cancel_token or CancelToken(), folder or step.label
            )
        except SessionFailed as error:
            return Completion(step=step, outcome=failed_outcome(error.failure))
        except EnvironmentLacking as error:
            return Completion(step=step, outcome=failed_outcome(environment_failure(error)))
        except PoolStopped:
            return Completion(step=step)
        except Exception as error:  # noqa: BLE001 - raised again where the build is carried out
            return Completion(step=step, error=error)

    def recycle(self, done: Completion) -> None:
        """Let the folders that a step has used be used again."""
        if done.outcome.used is None:
            return
        with self._sessions.held_open() as are_open:
            if are_open:
                recycle(done.outcome.used)

    def recall(self, step: Step, action: Action) -> Completion | None:
        """The step, if it was made already: then no executor need be expected."""
        began = time.monotonic()
        known = self._store.recall(action)
        return self._recalled(step, known, began) if known is not None else None

    def _recalled(self, step: Step, known: ActionResult, began: float) -> Completion:
        log = read_log(known.log, self._store)
        outcome = StepOutcome(result=known, failure=None, log=log)
        return Completion(step=step, outcome=outcome, recalled=True, seconds=time.monotonic() - began)

    def interrupt(self) -> None:
        """Let every step end soon; nothing is remembered any more."""
        self._stopping.set()
        self._sessions.interrupt()

    def _run_claimed(
        self,
        step: Step,
        action: Action,
        inputs: dict[str, Artifact],
        say: Callable[[Event], None],
        share: bool,
        cancel_token: CancelToken,
        folder: str,
    ) -> Completion:
        began = time.monotonic()
        with self._claimed(step, action, say, share, cancel_token) as known:
            if known is not None:
                return self._recalled(step, known, began)
            lost = True
            while lost:
                with (
                    self._sessions.lease(step) as lease,
                    cancel_token.on_cancel(lambda: lease.session.cancel(folder)),
                ):
                    # A step's time is its own: environments, images and imports are made for all steps.
                    began = time.monotonic()
                    outcome = run_step(step, inputs, self._store, lease.session, say, folder)
                    doubtful, lost = _doubtful(outcome, lease), outcome.lost
            if self._stopping.is_set() and outcome.result is not None:
                # Its folder may have been removed while its outputs were captured.
                outcome = msgspec.structs.replace(outcome, result=None)
            if outcome.result is not None:
                self._store.remember(action, outcome.result)
            return Completion(step=step, outcome=outcome, doubtful=doubtful, seconds=time.monotonic() - began)

    @contextlib.contextmanager
    def _claimed(
        self, step: Step, action: Action, say: Callable[[Event], None], share: bool, cancel_token: CancelToken
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
            if self._stopping.wait(_LOOK_AGAIN_S) or cancel_token.cancelled:
                raise PoolStopped


def failed_outcome(failure: Failure) -> StepOutcome:
    """What a step comes to that failed before it began."""
    return msgspec.structs.replace(_NOTHING, failure=failure)


def _doubtful(outcome: StepOutcome, lease: SessionLease) -> bool:
    """Did it fail of what a step beside it may have done: end the session, or use up the memory?"""
    if outcome.failure is None:
        return False
    return (outcome.session_over and lease.shared) or (outcome.oom_kills > 0 and lease.crowded)
