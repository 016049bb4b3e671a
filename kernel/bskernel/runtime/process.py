"""The process runtime: runs an executor as a child process in its own locked virtual environment."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bskernel_protocol import Failure
from bskernel_protocol.frames import ByteSink, ByteSource
from bskernel_protocol.licences import LICENCE_VARIABLES

from bskernel.core.interfaces import SessionFailed
from bskernel.core.places import place_lacking
from bskernel.core.runtime_failures import exit_facts
from bskernel.core.step import ExecutorRef
from bskernel.host.process import signs_below
from bskernel.images import Environment, Recipe, environment_variables
from bskernel.remains.folder import read_end
from bskernel.runtime.session_dirs import SessionFolders, end_processes_of
from bskernel.runtime.visible_stream import copied_visibly
from bskernel.runtime.watch import HEARTBEAT_S, VitalSigns
from bskernel.tools import licences_of, needs_licence, search_path, tool_variables

_LAST_LINES, _LAST_BYTES = 12, 1 << 14
_PROGRAMS = ("/usr/local/bin", "/usr/bin", "/bin")
_END_S = 5.0  # how long its supervisor may take to end everything
_EXIT_S = 1.0  # how long a server may take to exit after closing its pipe


class ProcessTransport:
    """A child process's pipes."""

    seals_inputs = False  # the child runs as this user and can change file modes

    def __init__(self, child: subprocess.Popen[bytes], folders: SessionFolders, log: Path) -> None:
        if child.stdout is None or child.stdin is None:
            raise ValueError("the child's stdin and stdout must be pipes")
        self.source: ByteSource = child.stdout
        self.sink: ByteSink = child.stdin
        self._child = child
        self._folders = folders
        self._log = log

    def limit_memory(self, mebibytes: int | None) -> None:
        """Do nothing: this runtime cannot limit a session; each step limits its own processes."""

    def vital_signs(self) -> VitalSigns:
        """The state of the server, and of the process that supervises it."""
        pid, signs = signs_below(self._child.pid)
        return VitalSigns(state=signs.state, used=signs.ticks, what=f"process {pid}")

    def end_facts(self) -> dict[str, Any]:
        """The server's exit code or signal, if it has ended."""
        try:
            return exit_facts(self._child.wait(timeout=_EXIT_S))
        except subprocess.TimeoutExpired:
            return {}

    def end(self) -> None:
        """Kill the server and every process of the session."""
        for request in (signal.SIGTERM, signal.SIGCONT):
            # The supervisor ends what carries no mark any more; it may have been stopped.
            self._child.send_signal(request)
        try:
            self._child.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        end_processes_of(self._folders)

    def close(self) -> None:
        """Close the pipes. Nobody may be reading them."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                # Buffered bytes cannot be sent to a server that has ended.
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def last_words(self) -> tuple[str, ...]:
        """The last lines of the server's stderr."""
        text = read_end(self._log, _LAST_BYTES).decode("utf-8", "replace")
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-_LAST_LINES:]


class ProcessStarter:
    """Starts executors as child processes."""

    name = "process"
    limits_sessions = False
    engine_facts = None

    def __init__(
        self,
        recipe_of: Callable[[ExecutorRef], Recipe],
        environment_of: Callable[[Recipe], Environment],
    ) -> None:
        self._recipe_of = recipe_of
        self._environment_of = environment_of

    def prepare(self, executor: ExecutorRef) -> None:
        """Make the environment unless it exists."""
        self._environment_of(self._recipe_of(executor))

    def end_orphans(self, folders: SessionFolders) -> None:
        """Kill every process of the session."""
        end_processes_of(folders)

    def _command(self, executor: ExecutorRef, folders: SessionFolders) -> tuple[list[str], dict[str, str]]:
        recipe = self._recipe_of(executor)
        environment = self._environment_of(recipe)
        variables = environment_variables(recipe) | {
            "PATH": search_path(executor.tools, ":".join((*environment.programs, *_PROGRAMS))),
            "HOME": str(folders.home),
            "TMPDIR": str(folders.home),
            "BSKERNEL_SESSION": folders.id,
        }
        variables |= tool_variables(executor.tools)
        if needs_licence(executor.tools):
            variables |= licences_of(os.environ).variables
        return environment.command, variables

    def run_by_hand(
        self, executor: ExecutorRef, directory: Path, folders: SessionFolders, report: Callable[[str], None]
    ) -> int:
        """Run one step as a child process in the foreground; reports the command so that it can be repeated."""
        python, variables = self._command(executor, folders)
        command = [*python, "run", str(directory)]
        hidden = {"HOME", "TMPDIR", "BSKERNEL_SESSION", *LICENCE_VARIABLES}
        settings = [f"{key}={value}" for key, value in sorted(variables.items()) if key not in hidden]
        # Never print a licence's value: the user's shell expands the variable.
        licences = "".join(f' {name}="${name}"' for name in LICENCE_VARIABLES if name in variables)
        report(f"env -i{licences} {shlex.join([*settings, *command])}")
        child = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with copied_visibly({child.stdout: sys.stdout, child.stderr: sys.stderr}):
            return child.wait()

    def start(self, executor: ExecutorRef, folders: SessionFolders) -> ProcessTransport:
        """Start the executor's server as a child process."""
        python, variables = self._command(executor, folders)
        log = folders.path / "server.log"
        command = [*python, "serve", "--root", str(folders.steps)]
        command += ["--heartbeat-s", f"{HEARTBEAT_S:g}", "--supervised-for", str(os.getpid())]
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
            lacking = place_lacking(error)
            hint = lacking.hint if lacking is not None else None
            failure = Failure(category="environment", message=f"cannot start {executor}: {error}", hint=hint)
            raise SessionFailed(failure) from error
        return ProcessTransport(child, folders, log)
