"""The interfaces at the kernel's edge: what a store, a runtime and a session must do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec
from bskernel_protocol import Artifact, ArtifactKind, Digest, Event, Failure

from bskernel.core.action import Action, ActionResult
from bskernel.core.step import ExecutorRef


class OutputViolation(Exception):  # noqa: N818 - what an executor did, told to the build
    """An executor's output that cannot become an artifact."""


class Store(Protocol):
    """Keeps bytes by digest and results by action. What is damaged or gone counts as missing."""

    def capture(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Keep a file or a tree. Raises OutputViolation for links that leave it and special files."""

    def observe(self, path: Path, name: str, kind: ArtifactKind, media_type: str) -> Artifact:
        """Keep a file or a tree of the user's like `capture`; what has not changed since need not be read again."""

    def materialise(self, artifact: Artifact, target: Path, *, read_only: bool = False) -> bool:
        """Lay the artifact at `target`; False, with nothing left there, when any of its bytes are missing.

        `read_only`: whoever gets it cannot write there, so that it need be no copy.
        """

    def put(self, data: bytes) -> Digest:
        """Keep bytes."""

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of that digest, verified, or None."""

    def recall(self, action: Action) -> ActionResult | None:
        """What the action made before, if all of it is still here and whole."""

    def peek(self, action: Action) -> ActionResult | None:
        """What `recall` would most likely tell, without anything being fetched for it."""

    def remember(self, action: Action, result: ActionResult) -> None:
        """Keep what an action made; its artifacts must be here already."""

    def claim(self, action: Action) -> AbstractContextManager[bool]:
        """Claim an action while it is carried out; False when another thread or process has claimed it."""


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True):
    """How a step's process ended: its exit code, or minus its signal, or the failure that kept it from ending."""

    exit_code: int | None = None
    failure: Failure | None = None
    session_over: bool = False  # the failure is the whole session's: every step that ran in it ended with it
    lost: bool = False  # the session is gone for a reason that no step gave: the step may run in another
    interrupted: bool = False  # nobody waits for it any more: it may still run until its session is closed
    cancelled: bool = False  # nobody wants it any more: it was ended
    peak_mib: int | None = None  # what the largest of its processes held
    oom_kills: int = 0  # processes that the system ended for lack of memory meanwhile


class Session(Protocol):
    """One executor, started, that carries out steps, also several at once, each asked for by a thread of its own."""

    @property
    def root(self) -> Path:
        """The folder on the host whose subfolders are step directories."""

    @property
    def inputs_root(self) -> Path:
        """The folder on the host that holds `in/` of each step, read-only for the executor."""

    @property
    def seals_inputs(self) -> bool:
        """Can the executor, whatever it does, not write to its inputs?"""

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Carry out the step in that folder of `root`; where the runtime can, within that memory in all.

        Such a limit is the session's: where the runtime `limits_sessions`, a step with one must run there alone.
        """

    def cancel(self, directory: str) -> None:
        """End the step in that folder, also one that `run` is only asked for later; returns at once."""

    @property
    def over(self) -> bool:
        """Has its executor ended? Then every step fails with what it ended of."""

    def interrupt(self) -> None:
        """Let every `run` return at once, and those to come; what runs ends when the session is closed."""

    def close(self) -> None:
        """End every process of the session and remove its folders. Safe to call twice, from any thread."""


class ExecutorHost(Protocol):
    """Where executors run."""

    @property
    def name(self) -> str:
        """`docker` or `process`."""

    @property
    def limits_sessions(self) -> bool:
        """Is a memory limit that of all processes of a session together, and are they counted apart from others'?"""

    def prepare(self, executor: ExecutorRef) -> None:
        """Have what the executor runs in; may take minutes the first time. Raises EnvironmentLacking, ConfigError."""


class Runtime(ExecutorHost, Protocol):
    """Starts sessions."""

    def open(self, executor: ExecutorRef) -> Session:
        """Start an executor. Raises EnvironmentLacking; SessionFailed when it dies before it is ready."""

    def close(self) -> None:
        """Close every session, also those that are still starting."""


class SessionFailed(Exception):  # noqa: N818 - told to the build
    """A session that did not come up, or is gone."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
