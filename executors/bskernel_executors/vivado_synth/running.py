"""Runs Vivado in batch mode; how it failed, when it did, is told by its own first true cause."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.tools import preload_libudev
from bskernel_executors.vivado_reports import Log, failure_of_run, read_log, wrong_design

_LOG, _SCRIPT = "vivado.log", "run.tcl"
_LEFT_S = 2.0  # helpers that outlive Vivado may hold its output open


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that came to its end: what it printed, and in which folder it lay."""

    folder: Path
    log: Log
    text: str


def run_vivado(
    folder: Path, tcl: str, *, identity: str, reports: tuple[str, ...], tell: Callable[[str], None]
) -> Run:
    """Run a script in `folder`; what Vivado prints goes to the step's log as it comes.

    Raises StepFailure with the first true cause; `environment` when it is another version than `identity` says.
    """
    (folder / _SCRIPT).write_text(tcl, encoding="utf-8")
    command = ["vivado", "-mode", "batch", "-nojournal", "-log", _LOG, "-source", _SCRIPT]
    child = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **preload_libudev()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said: list[str] = []

    def relay() -> None:
        for line in child.stdout or ():
            said.append(line)
            print(line, end="", flush=True)
            if line.startswith("Command: "):
                tell(line.split()[1])

    reader = threading.Thread(target=relay, daemon=True)
    reader.start()
    code = child.wait()
    reader.join(_LEFT_S)
    text = "".join(said)
    log = read_log(text)
    _check_version(log, identity)
    if code != 0:
        raise failure_of_run(code, log, "Vivado")
    missing = [name for name in reports if not (folder / name).is_file()]
    if missing:
        raise StepFailure(
            category="synthesis",
            message=f"Vivado ended well and wrote no {missing[0]}",
            hint="its log says what it did",
        )
    wrong = wrong_design(log)
    if wrong is not None:
        raise StepFailure(message=f"Vivado synthesised another design than it was given: {wrong.text}")
    return Run(folder=folder, log=log, text=text)


def _check_version(log: Log, identity: str) -> None:
    """The one that ran is the one that was identified: a `vivado` elsewhere in PATH would be another."""
    if log.version is not None and f" {log.version} " not in f" {identity} ":
        raise StepFailure(
            category="environment",
            message=f"Vivado {log.version} ran, not the one that was identified: {identity.rpartition(' ')[0]}",
            hint="something in the install's own scripts starts another one",
        )
