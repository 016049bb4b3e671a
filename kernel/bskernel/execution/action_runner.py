"""Runs actions, each once: claims it, recalls its result or runs it, and remembers the result."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec
from bskernel_protocol import Artifact, Event, Failure, Progress

from bskernel.core.action import Action, ActionResult
from bskernel.core.errors import BskernelError
from bskernel.core.interfaces import Session, SessionFailed, Store
from bskernel.core.places import place_lacking
from bskernel.core.runtime_failures import environment_failure
from bskernel.core.step import Step
from bskernel.execution.session_pool import PoolStopped, SessionLease, SessionPool
from bskernel.execution.step_inputs import read_log
from bskernel.execution.step_runner import StepOutcome, recycle, run_step

_LOOK_S = 2.0  # how often to look at the process that runs it
_STOPPED_S = 6.0  # a process that was stopped for so long is not waited for
_POLL_S = 0.05  # how often to look at an action that another build runs
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0  # how often to ask for an action that another machine runs
# What lasts while a step runs in a session, in the folder of that name.
Watched: TypeAlias = Callable[[Session, str], contextlib.AbstractContextManager[None]]
_NOTHING = StepOutcome(result=None, failure=None, log=b"")


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended. With neither result nor failure it was interrupted."""

    step: Step
    seconds: float = 0.0
    outcome: StepOutcome = _NOTHING
    recalled: bool = False  # another build produced the result meanwhile
    doubtful: bool = False  # steps that ran at the same time may have caused the failure
    error: Exception | None = None  # an unexpected error, to be raised in the deciding thread


class CancelToken:
    """Cancels one step, from any thread, before it starts or while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Cancel the step; returns at once."""
        with self._lock:
            self.cancelled = True
            if self._end is not None:
                self._end()

    @contextlib.contextmanager
    def on_cancel(self, end: Callable[[], None]) -> Iterator[None]:
        """Calls `end` if the step is cancelled during the context. Raises PoolStopped if it was cancelled before."""
        with self._lock:
            if self.cancelled:
                raise PoolStopped
            self._end = end
        try:
            yield
        finally:
            with self._lock:
                self._end = None


class OtherMachine:
    """Another machine that may run the same action, and so makes a step here give way."""

    def __init__(self, store: Store, action: Action) -> None:
        self._store = store
        self._action = action
        self.was_first = False
        self.gives_way = True

    def watched(self, session: Session, folder: str) -> contextlib.AbstractContextManager[None]:
        """Watch for other machines while the step in that folder runs; end it if one was first."""

        def give_way() -> None:
            if self.gives_way:
                self.was_first = True
                session.cancel(folder)

        return self._store.announced(self._action, give_way)


class ActionRunner:
    """Runs actions in the calling thread, each once: waits for an action that another process is running."""

    def __init__(self, store: Store, sessions: SessionPool, note: Callable[[str], None] = lambda _: None) -> None:
        """`note` hears, in any thread, of other processes that a step waits for."""
        self._store = store
        self._sessions = sessions
        self._note = note
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
        prepare: Callable[[], None] = lambda: None,
    ) -> Completion:
        """Run a step whose executor was expected, or is by `prepare`; never raises.

        With `share`, a result that another build has produced or is producing is recalled. Otherwise `prepare` is
        called before the step runs: it may raise BskernelError. `folder` is the step's folder in its session; by
        default its label.
        """
        try:
            return self._run_claimed(
                step, action, inputs, say, share, cancel_token or CancelToken(), folder or step.label, prepare
            )
        except SessionFailed as error:
            return Completion(step=step, outcome=failed_outcome(error.failure))
        except BskernelError as error:
            return Completion(step=step, outcome=failed_outcome(environment_failure(error)))
        except PoolStopped:
            return Completion(step=step)
        except OSError as error:
            lacking = place_lacking(error)
            if lacking is None:
                return Completion(step=step, error=error)
            return Completion(step=step, outcome=failed_outcome(environment_failure(lacking)))
        except Exception as error:  # noqa: BLE001 - raised again in the deciding thread
            return Completion(step=step, error=error)

    def recycle(self, done: Completion) -> None:
        """Release the folders of a step for the next one."""
        if done.outcome.used is None:
            return
        with self._sessions.held_open(done.step.executor) as are_open:
            if are_open:
                recycle(done.outcome.used)

    def _recalled(self, step: Step, known: ActionResult, began: float) -> Completion:
        log = read_log(known.log, self._store)
        outcome = StepOutcome(result=known, failure=None, log=log)
        return Completion(step=step, outcome=outcome, recalled=True, seconds=time.monotonic() - began)

    def interrupt(self) -> None:
        """Make every step end soon; from now on nothing is remembered."""
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
        prepare: Callable[[], None],
    ) -> Completion:
        began = time.monotonic()
        with self._claimed(step, action, say, share, cancel_token) as known:
            if known is not None:
                return self._recalled(step, known, began)
            prepare()
            if not share:
                return self._run(step, action, inputs, say, cancel_token, folder, _unwatched)
            other = OtherMachine(self._store, action)
            done = self._run(step, action, inputs, say, cancel_token, folder, other.watched)
            if not other.was_first or done.outcome.result is not None or done.outcome.failure is not None:
                return done
            self.recycle(done)
            known = self._await(step, action, say, cancel_token)
            if known is not None:
                return self._recalled(step, known, began)
            # It has failed there, or that machine is gone.
            other.gives_way = False
            return self._run(step, action, inputs, say, cancel_token, f"{folder}-here", other.watched)

    def _run(
        self,
        step: Step,
        action: Action,
        inputs: dict[str, Artifact],
        say: Callable[[Event], None],
        cancel_token: CancelToken,
        folder: str,
        watched: Watched,
    ) -> Completion:
        """Run a step and remember its result."""
        try:
            again, own_process = True, False
            while again:
                with (
                    self._sessions.lease(step, own_process=own_process) as lease,
                    self._cancelled_by(cancel_token, lease, folder) as place,
                ):
                    # The time of environments, images and imports is not the step's.
                    began = time.monotonic()
                    during = functools.partial(watched, lease.session)
                    outcome = run_step(step, inputs, self._store, lease.session, say, place, during)
                    doubtful, again = _doubtful(outcome, lease), outcome.lost
                if lease.follows and _has_crashed(outcome) and not again and not self._stopping.is_set():
                    # An earlier step may have broken its process.
                    self._note(
                        f"step {step.name} crashed in a process that may have run others; running it in its own"
                    )
                    self.recycle(Completion(step=step, outcome=outcome))
                    again = own_process = True
            if self._stopping.is_set() and outcome.result is not None:
                # Its folder may have been removed while its outputs were captured.
                outcome = msgspec.structs.replace(outcome, result=None)
            if outcome.result is not None:
                try:
                    self._store.remember(action, outcome.result)
                except ValueError as error:
                    failure = Failure(category="executor", message=f"the result of step {step.name}: {error}")
                    outcome = msgspec.structs.replace(outcome, result=None, failure=failure)
            return Completion(step=step, outcome=outcome, doubtful=doubtful, seconds=time.monotonic() - began)
        finally:
            self._store.unannounce(action)

    @contextlib.contextmanager
    def _cancelled_by(self, cancel_token: CancelToken, lease: SessionLease, folder: str) -> Iterator[str]:
        """The step's folder in its session, where the token cancels it."""
        place = f"{lease.slot}/{folder}" if lease.slot else folder
        with cancel_token.on_cancel(lambda: lease.session.cancel(place)):
            yield place

    def _await(
        self, step: Step, action: Action, say: Callable[[Event], None], cancel_token: CancelToken
    ) -> ActionResult | None:
        """Wait until no other machine runs the action; then its result, if there is one."""
        say(Progress(directory=step.label, text="waiting for another machine that runs the same action"))
        pause, named = _FIRST_PAUSE_S, ""
        while (machine := self._store.other_machine(action)) is not None:
            if named and machine != named:
                break  # the first one has not made it: nobody waits for one machine after another
            if not named:
                named = machine
                self._note(f"step {step.name}: waiting for another machine's result: {machine}")
            until = time.monotonic() + pause
            while time.monotonic() < until:
                if self._stopping.wait(_POLL_S) or cancel_token.cancelled:
                    raise PoolStopped
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        return self._store.recall(action, step.outputs)

    @contextlib.contextmanager
    def _claimed(
        self, step: Step, action: Action, say: Callable[[Event], None], share: bool, cancel_token: CancelToken
    ) -> Iterator[ActionResult | None]:
        """Waits until no other build runs the action; then its result, or None and the claim is ours."""
        if not share:
            yield None
            return
        announced = False
        waited = stopped = 0.0
        named, ignored = "", False
        while True:
            with self._store.claim(action) as claimed:
                if claimed or ignored:
                    yield self._store.recall(action, step.outputs)
                    return
            if not announced:
                announced = True
                say(Progress(directory=step.label, text="waiting for another build that runs the same action"))
            waited += _POLL_S
            if waited >= _LOOK_S:
                waited, claimant = 0.0, self._store.claimant(action)
                stopped = stopped + _LOOK_S if claimant is not None and claimant.stopped else 0.0
                # A claim only saves work: whoever ends first, the results are equal.
                ignored = stopped >= _STOPPED_S
                if claimant is not None and (ignored or claimant.what != named):
                    named = claimant.what
                    doing = "running the action here too" if ignored else "waiting for another build's result"
                    self._note(f"step {step.name}: {doing}: {named}")
            if self._stopping.wait(_POLL_S) or cancel_token.cancelled:
                raise PoolStopped


def failed_outcome(failure: Failure) -> StepOutcome:
    """The outcome of a step that failed before it started."""
    return msgspec.structs.replace(_NOTHING, failure=failure)


def _unwatched(session: Session, folder: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG001
    return contextlib.nullcontext()


def _has_crashed(outcome: StepOutcome) -> bool:
    """Whether the step's process ended without a result, and its session is there still."""
    return outcome.failure is not None and outcome.failure.category == "crash" and not outcome.session_over


def _doubtful(outcome: StepOutcome, lease: SessionLease) -> bool:
    """True when another step may have caused the failure by ending the session or using up its memory."""
    if outcome.failure is None:
        return False
    return (outcome.session_over and lease.shared) or (outcome.oom_kills > 0 and lease.crowded)
