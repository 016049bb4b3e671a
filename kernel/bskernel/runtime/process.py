"""The process runtime: an executor as a child process in its own locked virtual environment."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path

from bskernel_protocol import Event, Failure
from bskernel_protocol.framing import ByteSink, ByteSource

from bskernel.images import Environment, Recipe, environment_variables
from bskernel.ports import SessionEnded, SessionFailed
from bskernel.runtime.folders import SessionFolders, abandoned, end_processes_of, make_folders
from bskernel.runtime.framed import Channel
from bskernel.step import ExecutorRef

_READY_S = 180.0
_LAST_LINES = 12


class ProcessCarrier:
    """A child process's pipes."""

    def __init__(self, child: subprocess.Popen[bytes], session_id: str, log: Path) -> None:
        if child.stdout is None or child.stdin is None:
            raise ValueError("the child has no pipes")
        self.source: ByteSource = child.stdout
        self.sink: ByteSink = child.stdin
        self._child = child
        self._session_id = session_id
        self._log = log

    def end(self) -> None:
        """Kill the server and whatever carries the session's mark."""
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        self._child.wait()
        end_processes_of(self._session_id)

    def close(self) -> None:
        """Close the pipes, once nobody reads them."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                # What is still buffered for a server that is gone has nowhere to go.
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def last_words(self) -> tuple[str, ...]:
        """The end of the server's own error output."""
        return last_lines(self._log)


def last_lines(log: Path) -> tuple[str, ...]:
    """The last lines of a text file; none when there is no file."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-_LAST_LINES:]


class FramedSession:
    """A session whose carrier is up."""

    def __init__(self, carrier: ProcessCarrier, folders: SessionFolders, executor: ExecutorRef) -> None:
        self._carrier = carrier
        self._folders = folders
        self._channel = Channel(carrier, str(executor))
        self._closed = False

    @property
    def root(self) -> Path:
        """Step directories on the host."""
        return self._folders.steps

    @property
    def inputs_root(self) -> Path:
        """Inputs on the host."""
        return self._folders.inputs

    def wait_until_ready(self) -> None:
        """Raises SessionFailed."""
        self._channel.wait_until_ready(_READY_S)

    def run(self, directory: str, *, timeout_s: float | None, on_event: Callable[[Event], None]) -> SessionEnded:
        """Carry out one step."""
        return self._channel.run(directory, timeout_s, on_event)

    def close(self) -> None:
        """End every process and remove the folders."""
        if not self._closed:
            self._closed = True
            self._carrier.end()
            self._channel.close()
            self._carrier.close()
            self._folders.remove()


class ProcessRuntime:
    """Starts executors as child processes."""

    name = "process"

    def __init__(
        self,
        cache: Path,
        recipe_of: Callable[[ExecutorRef], Recipe],
        environment_of: Callable[[Recipe], Environment],
    ) -> None:
        self._cache = cache
        self._recipe_of = recipe_of
        self._environment_of = environment_of

    def sweep(self) -> int:
        """End and remove what kernels that are gone have left; how many sessions that were."""
        left = list(abandoned(self._cache))
        for folders in left:
            end_processes_of(folders.id)
            folders.remove()
        return len(left)

    def open(self, executor: ExecutorRef) -> FramedSession:
        """Start an executor and wait until it has imported its libraries."""
        recipe = self._recipe_of(executor)
        environment = self._environment_of(recipe)
        folders = make_folders(self._cache)
        log = folders.path / "server.log"
        variables = environment_variables(recipe) | {
            "PATH": f"{environment.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folders.home),
            "TMPDIR": str(folders.home),
            "PYTHONPATH": str(environment.code),
            "BSKERNEL_SESSION": folders.id,
        }
        command = [
            str(environment.python), "-P", "-m", "bskernel_executors.sdk", "serve", recipe.module,
            "--root", str(folders.steps),
        ]  # fmt: skip
        try:
            with log.open("wb") as errors:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=variables,
                    cwd=folders.home,
                    start_new_session=True,
                )
        except OSError as error:
            folders.remove()
            failure = Failure(category="environment", message=f"{executor} cannot be started: {error}")
            raise SessionFailed(failure) from error
        session = FramedSession(ProcessCarrier(child, folders.id, log), folders, executor)
        try:
            session.wait_until_ready()
        except BaseException:
            session.close()
            raise
        return session
