"""The process runtime: an executor as a child process in its own locked virtual environment."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bskernel_protocol import Failure
from bskernel_protocol.frames import ByteSink, ByteSource
from bskernel_protocol.licences import LICENCE_VARIABLES

from bskernel.endings import exit_facts
from bskernel.images import Environment, Recipe, environment_variables
from bskernel.installs import licences_of, needs_licence, search_path, tool_variables
from bskernel.ports import SessionFailed
from bskernel.runtime.folders import SessionFolders, end_processes_of
from bskernel.step import ExecutorRef

_LAST_LINES = 12
_ENDING_S = 1.0  # a server whose pipe has closed is about to end


class ProcessCarrier:
    """A child process's pipes."""

    seals_inputs = False  # it is this user's process: modes do not bind it

    def __init__(self, child: subprocess.Popen[bytes], session_id: str, log: Path) -> None:
        if child.stdout is None or child.stdin is None:
            raise ValueError("the child has no pipes")
        self.source: ByteSource = child.stdout
        self.sink: ByteSink = child.stdin
        self._child = child
        self._session_id = session_id
        self._log = log

    def limit_memory(self, mebibytes: int | None) -> None:
        """Nothing limits processes together here: the step limits each of its own."""

    def end_facts(self) -> dict[str, Any]:
        """The server's exit code or signal, if it has ended of itself."""
        try:
            return exit_facts(self._child.wait(timeout=_ENDING_S))
        except subprocess.TimeoutExpired:
            return {}

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
        try:
            text = self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ()
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-_LAST_LINES:]


class ProcessStarter:
    """Starts executors as child processes."""

    name = "process"
    limits_sessions = False

    def __init__(
        self,
        recipe_of: Callable[[ExecutorRef], Recipe],
        environment_of: Callable[[Recipe], Environment],
    ) -> None:
        self._recipe_of = recipe_of
        self._environment_of = environment_of

    def prepare(self, executor: ExecutorRef) -> None:
        """Make the environment if it is not there."""
        self._environment_of(self._recipe_of(executor))

    def end_left(self, session_id: str) -> None:
        """Kill what carries the session's mark."""
        end_processes_of(session_id)

    def _surroundings(self, executor: ExecutorRef, folders: SessionFolders) -> tuple[list[str], dict[str, str]]:
        recipe = self._recipe_of(executor)
        environment = self._environment_of(recipe)
        variables = environment_variables(recipe) | {
            "PATH": search_path(executor.tools, f"{environment.python.parent}:/usr/local/bin:/usr/bin:/bin"),
            "HOME": str(folders.home),
            "TMPDIR": str(folders.home),
            "PYTHONPATH": str(environment.code),
            "BSKERNEL_SESSION": folders.id,
        }
        variables |= tool_variables(executor.tools)
        if needs_licence(executor.tools):
            variables |= licences_of(os.environ).variables
        return [str(environment.python), "-P", "-m", "bskernel_executors.sdk"], variables

    def run_by_hand(
        self, executor: ExecutorRef, directory: Path, folders: SessionFolders, report: Callable[[str], None]
    ) -> int:
        """As a child process; the command is told, so that it can be given again."""
        python, variables = self._surroundings(executor, folders)
        command = [*python, "run", str(directory)]
        mine = {"HOME", "TMPDIR", "BSKERNEL_SESSION", *LICENCE_VARIABLES}
        settings = [f"{key}={value}" for key, value in sorted(variables.items()) if key not in mine]
        # A licence's value is shown nowhere: the shell that the command is given to fills it in.
        licences = "".join(f' {name}="${name}"' for name in LICENCE_VARIABLES if name in variables)
        report(f"env -i{licences} {shlex.join([*settings, *command])}")
        return subprocess.run(command, env=variables, check=False).returncode

    def start(self, executor: ExecutorRef, folders: SessionFolders) -> ProcessCarrier:
        """Start the server."""
        python, variables = self._surroundings(executor, folders)
        log = folders.path / "server.log"
        command = [*python, "serve", "--root", str(folders.steps)]
        try:
            with log.open("wb") as errors:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    bufsize=0,
                    stderr=errors,
                    env=variables,
                    cwd=folders.home,
                    start_new_session=True,
                )
        except OSError as error:
            failure = Failure(category="environment", message=f"{executor} cannot be started: {error}")
            raise SessionFailed(failure) from error
        return ProcessCarrier(child, folders.id, log)
