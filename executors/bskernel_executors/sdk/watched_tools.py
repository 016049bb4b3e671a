"""Installed tools that a library starts for an entry: heard of as they run, and known by how they ended.

FINN calls Vivado from shell scripts whose last command is a `cd`, so that it does not see how Vivado ends, and it
shows nothing of what it prints. Programs of the same names come first in PATH: each runs the real one, with what it
says in a file that is followed here, and notes its exit code.
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

_PERIOD_S = 0.2
_SHIM = """#!/bin/sh
exec 2>>{said}
{program} "$@" >>{said} 2>&1
code=$?
printf '%s %s\\n' "$code" {name} >>{ends}
exit $code
"""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a tool that is over; 128 and a signal's number when one has ended it."""

    tool: str
    code: int


class WatchedTools:
    """While it is entered, `programs` that are in PATH are watched; what they say is printed as it comes."""

    def __init__(self, folder: Path, programs: Sequence[str]) -> None:
        self._folder, self._programs = folder, programs
        self._said, self._ends = folder / "said.log", folder / "ends"
        self._over = threading.Event()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._path = ""

    def __enter__(self) -> WatchedTools:
        found = {name: program for name in self._programs if (program := shutil.which(name)) is not None}
        shims = self._folder / "bin"
        shims.mkdir(parents=True)
        for path in (self._said, self._ends):
            path.touch()
        said, ends = shlex.quote(str(self._said)), shlex.quote(str(self._ends))
        for name, program in found.items():
            text = _SHIM.format(program=shlex.quote(program), name=shlex.quote(name), said=said, ends=ends)
            (shims / name).write_text(text, encoding="utf-8")
            (shims / name).chmod(0o755)
        self._path = os.environ.get("PATH", os.defpath)
        os.environ["PATH"] = f"{shims}{os.pathsep}{self._path}"
        self._follower.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.environ["PATH"] = self._path
        self._over.set()
        self._follower.join()

    def _follow(self) -> None:
        with self._said.open(encoding="utf-8", errors="replace") as stream:
            while True:
                over = self._over.wait(_PERIOD_S)
                for line in iter(stream.readline, ""):
                    print(line, end="", flush=True)
                if over:
                    return

    @property
    def said(self) -> str:
        """All that they have printed."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    @property
    def ended(self) -> tuple[Ended, ...]:
        """The runs that are over, in order."""
        lines = self._ends.read_text(encoding="utf-8").splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return tuple(Ended(tool=tool, code=int(code)) for code, tool in pairs)

    @property
    def failed(self) -> Ended | None:
        """The first run that did not end well."""
        return next((run for run in self.ended if run.code != 0), None)
