"""The interfaces at the kernel's edge: Store, Session and Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec
from bskernel_protocol import Artifact, ArtifactKind, Digest, Event, Failure, OutputDescription

from bskernel.core.action import Action, ActionResult
from bskernel.core.step import ExecutorRef


class OutputViolation(Exception):  # noqa: N818 - reported as a failure of the step
    """An output that cannot become an artifact."""


class Claimant(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has claimed an action: `what` for people; a stopped one does nothing until it is continued."""

    what: str
    stopped: bool


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a result whatever happens: outputs, by name, and its log. None stands for all outputs."""

    outputs: frozenset[str] | None = None
    listings: bool = False  # of trees among the other outputs, what is in them


EVERYTHING = Wanted()


class Store(Protocol):
    """Stores bytes by digest and results by action. Damaged or lost bytes count as missing."""

    @property
    def answers_at_once(self) -> bool:
        """False when `look_up` or `recall` may ask another machine, and so take long."""

    def capture(
        self, path: Path, name: str, kind: ArtifactKind, media_type: str, *, folder: int | None = None
    ) -> Artifact:
        """Store a file or a tree; `path` may be a name in the open `folder`.

        Raises OutputViolation for links that leave it, special files and bits, and beyond the limits of an output.
        """

    def observe(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Store a file or tree of the user's like `capture`; what has not changed since is not read again."""

    def materialise(self, artifact: Artifact, target: Path, *, read_only: bool = False) -> bool:
        """Write the artifact to `target`; False, with nothing left there, when any of its bytes are missing.

        With `read_only` the reader cannot write there, so the files need not be copies.
        """

    def put(self, data: bytes) -> Digest:
        """Store bytes."""

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, verified, or None."""

    def recall(self, action: Action, outputs: Iterable[OutputDescription] | None = None) -> ActionResult | None:
        """The action's earlier result, if all of it is still here and intact.

        With `outputs`, those that the step's entry declares, a result that has others or lacks some is none.
        """

    def look_up(
        self,
        action: Action,
        outputs: Iterable[OutputDescription] | None,
        wanted: Wanted,
        *,
        here: bool = False,
    ) -> ActionResult | None:
        """As `recall`, but of what another machine has only what is `wanted` need be here.

        The rest comes when it is read; if it is gone by then, it is missing. With `here` no other machine is asked.
        From any thread.
        """

    @property
    def unreachable(self) -> str | None:
        """Why a shared store behind this one cannot be used now; None while it can, or where there is none."""

    def doubt(self) -> None:
        """Bytes of a result were missing: from now on only results count that are here as a whole."""

    def deliver_notes(self) -> None:
        """Tell what other threads had to say, in the thread that opened the store."""

    def peek(self, action: Action, outputs: Iterable[OutputDescription] | None = None) -> ActionResult | None:
        """What `recall` would most likely return; fetches nothing."""

    def remember(self, action: Action, result: ActionResult) -> None:
        """Store the result of an action; its artifacts must be stored already."""

    def flush(self) -> None:
        """Wait until everything stored here is on the disk; returns at once when it is."""

    def claimant(self, action: Action) -> Claimant | None:
        """The process that has claimed an action; None when it cannot be found. Takes a while."""

    def claim(self, action: Action) -> AbstractContextManager[bool]:
        """Claim an action for the time of the context; False when another thread or process has claimed it."""

    def announced(self, action: Action, taken: Callable[[], None]) -> AbstractContextManager[None]:
        """Tell other machines that an action runs here, once the context has lasted for a while.

        Calls `taken`, from another thread and during the context, if another machine runs it already. Others believe
        that it runs until `unannounce`.
        """

    def unannounce(self, action: Action) -> None:
        """The action has ended here, and its result was remembered if it has one."""

    def other_machine(self, action: Action) -> str | None:
        """The machine that runs the action, for people; None when no other one does. Takes a while."""


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True):
    """How a step's process ended: its exit code (minus the signal that killed it), or the failure that ended it."""

    exit_code: int | None = None
    failure: Failure | None = None
    session_over: bool = False  # the whole session failed: every step in it ended with it
    lost: bool = False  # the session is gone, and no step is to blame: the step may run in another one
    interrupted: bool = False  # the build was interrupted: the step may run on until its session closes
    cancelled: bool = False  # the step was cancelled, and has ended
    peak_mib: int | None = None  # the largest resident size of its processes
    oom_kills: int = 0  # processes killed for lack of memory during the step


class Session(Protocol):
    """A started executor. It runs several steps at once, each requested by its own thread."""

    @property
    def root(self) -> Path:
        """The folder on the host whose subfolders are step directories."""

    @property
    def inputs_root(self) -> Path:
        """The folder on the host that holds `in/` of each step, read-only for the executor."""

    @property
    def seals_inputs(self) -> bool:
        """True when the executor cannot write to its inputs, whatever it does."""

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Run the step in that folder of `root`; where the runtime can enforce it, within that much memory.

        Such a limit is the session's: where the runtime `limits_sessions`, a step with one must run there alone.
        """

    def cancel(self, directory: str) -> None:
        """End the step in that folder, even if `run` is called later; returns at once."""

    @property
    def over(self) -> bool:
        """True when the executor has ended: every step then fails for the same reason."""

    def interrupt(self) -> None:
        """Make every present and later `run` return at once; running steps end when the session closes."""

    def close(self) -> None:
        """End every process of the session and remove its folders. May be called twice, from any thread."""


class ExecutorHost(Protocol):
    """Where executors run."""

    @property
    def name(self) -> str:
        """`docker` or `process`."""

    @property
    def limits_sessions(self) -> bool:
        """True when a memory limit applies to all processes of a session together."""

    def prepare(self, executor: ExecutorRef) -> None:
        """Make the executor's environment or image; may take minutes. Raises EnvironmentLacking, ConfigError."""


class Runtime(ExecutorHost, Protocol):
    """Starts sessions."""

    def open(self, executor: ExecutorRef) -> Session:
        """Start an executor. Raises EnvironmentLacking; SessionFailed when it dies before it is ready."""

    def close(self) -> None:
        """Close every session, including those still starting."""


class SessionFailed(Exception):  # noqa: N818 - reported as a failure of the step
    """A session that did not start, or has ended."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
