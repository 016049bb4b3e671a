"""Watch the tools that a library starts for an entry: their output as it comes, and their exit codes.

FINN calls Vivado from shell scripts whose last command is `cd`, so it never sees Vivado's exit code, and it hides
Vivado's output. WatchedTools puts wrapper scripts of the same names first in PATH. Each runs the real program,
appends its output to a file, which is followed here, and records its exit code.
"""

from __future__ import annotations

import os
import shlex
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import msgspec

_PERIOD_S = 0.2  # between two looks at the output file
_WRAPPER = """#!/bin/sh
exec 2>>{output}
{program} "$@" >>{output} 2>&1
code=$?
printf '%s %s\\n' "$code" {name} >>{exits}
exit $code
"""


class ToolExit(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one run of a tool. `code` is its exit code, or 128 plus the number of the signal that ended it."""

    tool: str
    code: int


class WatchedTools:
    """A context manager: inside it, those `programs` that are in PATH are watched and their output is printed."""

    def __init__(self, folder: Path, programs: Sequence[str]) -> None:
        """`folder` is created; it takes the wrappers, the output and the exit codes."""
        self._folder, self._programs = folder, programs
        self._output, self._exits = folder / "output.log", folder / "exits"
        self._done = threading.Event()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._path = ""

    def __enter__(self) -> WatchedTools:
        found = {name: program for name in self._programs if (program := shutil.which(name)) is not None}
        wrappers = self._folder / "bin"
        wrappers.mkdir(parents=True)
        for path in (self._output, self._exits):
            path.touch()
        output, exits = shlex.quote(str(self._output)), shlex.quote(str(self._exits))
        for name, program in found.items():
            text = _WRAPPER.format(program=shlex.quote(program), name=shlex.quote(name), output=output, exits=exits)
            (wrappers / name).write_text(text, encoding="utf-8")
            (wrappers / name).chmod(0o755)
        self._path = os.environ.get("PATH", os.defpath)
        os.environ["PATH"] = f"{wrappers}{os.pathsep}{self._path}"
        self._follower.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.environ["PATH"] = self._path
        self._done.set()
        self._follower.join()

    def _follow(self) -> None:
        with self._output.open(encoding="utf-8", errors="replace") as stream:
            while True:
                done = self._done.wait(_PERIOD_S)
                for line in iter(stream.readline, ""):
                    print(line, end="", flush=True)
                if done:
                    return

    @property
    def output(self) -> str:
        """Everything that the tools have printed so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    @property
    def exits(self) -> tuple[ToolExit, ...]:
        """The finished runs, in the order in which they ended."""
        lines = self._exits.read_text(encoding="utf-8").splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return tuple(ToolExit(tool=tool, code=int(code)) for code, tool in pairs)

    @property
    def first_failure(self) -> ToolExit | None:
        """The first run whose exit code was not 0, or None."""
        return next((run for run in self.exits if run.code != 0), None)
